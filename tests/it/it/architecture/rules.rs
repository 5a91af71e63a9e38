//! What no line may say, and how a file looks. A rule that the compiler or clippy can keep is theirs and not here.

use super::source::Source;

/// About 400 are meant; beyond this a file is certainly two.
const MOST_LINES: usize = 450;

/// Names that say nothing about what a file holds.
const EMPTY_NAMES: [&str; 8] =
    ["common.rs", "helper.rs", "helpers.rs", "manager.rs", "misc.rs", "mod.rs", "util.rs", "utils.rs"];

/// Words that lines of some files may not hold.
struct Rule {
    why: &'static str,
    words: &'static [&'static str],
    lines: Lines,
    /// Where the rule holds, by the beginning of the path, and where not.
    within: &'static [&'static str],
    except: &'static [&'static str],
}

enum Lines {
    Shipped,
    Code,
}

const PRODUCT: &[&str] = &["shared/", "functions/", "infra/"];
/// The files of this very check, which have to name what they look for.
const THIS: &[&str] = &["tests/it/it/architecture"];

const RULES: &[Rule] = &[
    Rule {
        why: "configuration enters in main, as a value",
        words: &["env::var", "env!(", "std::env"],
        lines: Lines::Shipped,
        within: &["shared/"],
        except: &["shared/aws/src/config"],
    },
    Rule {
        why: "the time is passed in, as a value",
        words: &["Instant::now", "SystemTime::now", "Timestamp::now", "UNIX_EPOCH.elapsed", "Zoned::now"],
        lines: Lines::Shipped,
        within: &["shared/"],
        except: &[],
    },
    Rule {
        why: "nothing waits inside of a step: what is due later is written down",
        words: &["sleep(", "time::sleep", "time::interval", "thread::park"],
        lines: Lines::Shipped,
        within: &["shared/flow/", "shared/domain/", "shared/ports/", "shared/pki/"],
        except: &[],
    },
    Rule {
        why: "the domain is the same for the same input",
        words: &["new_v4", "now_v7", "async fn", ".await"],
        lines: Lines::Shipped,
        within: &["shared/domain/"],
        except: &[],
    },
    Rule {
        why: "private keys are AWS-LC's alone (RUSTSEC-2023-0071 is about those of this type)",
        words: &["RsaPrivateKey"],
        lines: Lines::Code,
        within: &["shared/", "functions/", "infra/", "tests/"],
        except: THIS,
    },
    Rule {
        why: "only place_order may buy, and it writes down first what it buys",
        words: &["sslcom::Client"],
        lines: Lines::Shipped,
        within: PRODUCT,
        except: &["shared/sslcom/", "shared/flow/src/context.rs"],
    },
    Rule {
        why: "what a binary is, is which rooms it links",
        words: &["cfg(feature", "cfg!("],
        lines: Lines::Shipped,
        within: PRODUCT,
        except: &[],
    },
    Rule {
        why: "a test that does not run proves nothing",
        words: &["#[ignore"],
        lines: Lines::Code,
        within: &[""],
        except: THIS,
    },
    Rule {
        why: "what is not written yet is not merged",
        words: &["todo!(", "unimplemented!("],
        lines: Lines::Code,
        within: &[""],
        except: THIS,
    },
    Rule {
        why: "an exception to a lint is expected, with its reason",
        words: &["#[allow(", "#![allow("],
        lines: Lines::Code,
        within: &[""],
        except: THIS,
    },
];

/// A sentence for each line or file that breaks a rule.
pub(super) fn violations(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        broken.extend(RULES.iter().filter(|rule| rule.is_for(source)).flat_map(|rule| rule.broken_in(source)));
        broken.extend(purchases(source));
        broken.extend(look(source));
    }
    broken
}

impl Rule {
    fn is_for(&self, source: &Source) -> bool {
        let is_in = |folders: &[&str]| folders.iter().any(|folder| source.path.starts_with(folder));
        is_in(self.within) && !is_in(self.except)
    }

    fn broken_in(&self, source: &Source) -> Vec<String> {
        let found = |(number, line): (usize, &str)| {
            let word = self.words.iter().find(|word| line.contains(**word))?;
            Some(format!("{}:{number}: `{word}`, but {}", source.path, self.why))
        };
        match self.lines {
            Lines::Shipped => source.shipped_code().filter_map(found).collect(),
            Lines::Code => source.code().filter_map(found).collect(),
        }
    }
}

/// The client is `create`d with in one file. Methods of that name on `self` are the steps' own.
fn purchases(source: &Source) -> Vec<String> {
    if !source.path.starts_with("shared/flow/src/") || source.path == "shared/flow/src/place_order.rs" {
        return Vec::new();
    }
    let buys = |line: &str| line.match_indices(".create(").any(|(at, _)| !line[..at].ends_with("self"));
    let lines = source.shipped_code().filter(|(_, line)| buys(line));
    lines.map(|(number, _)| format!("{}:{number}: `.create(`, but only place_order may buy", source.path)).collect()
}

/// What concerns a file as a whole.
fn look(source: &Source) -> Vec<String> {
    let Source { path, text } = source;
    let mut broken = Vec::new();
    if !source.is_unit_test() && !text.starts_with("//!") {
        broken.push(format!("{path}:1: the file does not begin by saying what it is (`//!`)"));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        broken.push(format!("{path}:{MOST_LINES}: the file has {lines} lines; divide it"));
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    if EMPTY_NAMES.contains(&name) {
        broken.push(format!("{path}:1: `{name}` says nothing about what is in it"));
    }
    let is_deployed = path.starts_with("functions/") || path.starts_with("infra/");
    if is_deployed && name == "main.rs" && !text.contains("#[global_allocator]") {
        broken.push(format!("{path}:1: the binary does not overwrite the memory it frees (`#[global_allocator]`)"));
    }
    broken
}

#[test]
fn what_a_room_must_never_say_is_found_with_its_line() {
    for (path, line) in [
        ("shared/web/src/edge.rs", "let stage = std::env::var(\"STAGE\");"),
        ("shared/pki/src/csr.rs", "const HOME: &str = env!(\"HOME\");"),
        ("shared/flow/src/reconcile.rs", "let now = jiff::Timestamp::now();"),
        ("shared/sslcom/src/client.rs", "let begin = Instant::now();"),
        ("shared/flow/src/check_order.rs", "tokio::time::sleep(PAUSE).await;"),
        ("shared/domain/src/ids.rs", "Self(Uuid::new_v4())"),
        ("shared/pki/src/private_key.rs", "key: rsa::RsaPrivateKey,"),
        ("infra/local/src/demo.rs", "let ca = sslcom::Client::new(endpoint, statuses)?;"),
        ("shared/flow/src/look_up.rs", "let answer = flow.ca.create(&credentials, &order).await;"),
        ("shared/flow/src/look_up.rs", "    .create(&credentials, &order)"),
        ("shared/web/src/api.rs", "#[cfg(feature = \"local\")]"),
        ("shared/domain/src/claim.rs", "todo!()"),
        ("tests/sim/src/graph/tests.rs", "#[ignore = \"slow\"]"),
        ("tests/it/it/contract.rs", "#[allow(dead_code)]"),
    ] {
        let found = violations(&[written(path, &format!("//! A room.\n\n{line}\n"))]);
        assert!(found.len() == 1 && found[0].starts_with(&format!("{path}:3: `")), "{line}: {found:?}");
    }
}

#[test]
fn comments_and_tests_may_speak_of_what_code_may_not() {
    for text in [
        "//! A step.\n\n// Never tokio::time::sleep here.\nfn step() {}\n",
        "//! A step.\n\n#[cfg(test)]\nmod tests {\n    fn now() -> Timestamp {\n        Timestamp::now()\n    }\n}\n",
        "//! A step.\n\n#[cfg(test)]\n#[expect(lint, reason = \"why\")]\nmod tests {\n    use std::env;\n}\n",
    ] {
        assert_eq!(violations(&[written("shared/flow/src/reconcile.rs", text)]), Vec::<String>::new(), "{text}");
    }
    let own = written("shared/flow/src/import_pfx.rs", "//! A step.\n\nself.create(row, &record).await\n");
    assert_eq!(violations(&[own]), Vec::<String>::new());
    let in_tests = written("shared/pki/src/csr/tests.rs", "use std::env;\n");
    assert_eq!(violations(&[in_tests]), Vec::<String>::new());
}

#[test]
fn code_behind_a_module_of_tests_is_looked_at_again() {
    let text = "//! A step.\n\n#[cfg(test)]\nmod tests {\n    use std::env;\n}\n\nfn late() { Timestamp::now(); }\n";
    let found = violations(&[written("shared/flow/src/reconcile.rs", text)]);
    assert!(found.len() == 1 && found[0].starts_with("shared/flow/src/reconcile.rs:8: `Timestamp::now`"), "{found:?}");
}

#[test]
fn a_file_is_short_and_named_and_says_what_it_is() {
    let long = format!("//! Long.\n{}", "fn line() {}\n".repeat(MOST_LINES));
    for (path, text, about) in [
        ("shared/web/src/page.rs", "fn page() {}\n", "does not begin by saying what it is"),
        ("shared/web/src/page.rs", &long, "has 451 lines"),
        ("shared/web/src/utils.rs", "//! Things.\n", "`utils.rs` says nothing"),
        ("shared/web/src/api/mod.rs", "//! The API.\n", "`mod.rs` says nothing"),
        ("functions/api/src/main.rs", "//! The API.\n", "does not overwrite the memory it frees"),
    ] {
        let found = violations(&[written(path, text)]);
        assert!(found.len() == 1 && found[0].contains(about), "{path}: {found:?}");
    }
}

fn written(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}
