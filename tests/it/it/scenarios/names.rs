//! Names as directories have them: what the plan says, what is written into the certificate, and how people are found.

use serde_json::{Value, json};
use sim::pfx::Pfx;
use url::form_urlencoded::byte_serialize;

use crate::world::{Setting, World, text};

/// Given name, surname, and how each stands in the certificate.
const WRITTEN: [(&str, &str, &str, &str); 19] = [
    ("Åsa", "Öberg", "Åsa", "Öberg"),
    ("Jörg", "Großmann", "Jörg", "Großmann"),
    ("Anna-Lena", "Meyer-Schäfer", "Anna-Lena", "Meyer-Schäfer"),
    ("Sinéad", "O'Brien", "Sinéad", "O'Brien"),
    ("Eve", "D’Arcy", "Eve", "D’Arcy"),
    ("Madonna", "", "Madonna", ""),
    ("", "Sukarno", "", "Sukarno"),
    // Decomposed, as macOS and some mail systems write it.
    ("Zoe\u{308}", "Sjo\u{308}gren", "Zoë", "Sjögren"),
    ("  Blank ", "\u{a0}Space\u{3000}", "Blank", "Space"),
    ("太郎", "山田", "太郎", "山田"),
    ("민준", "김", "민준", "김"),
    // Composed from its parts, a syllable is one character.
    ("\u{1112}\u{1161}\u{11ab}", "이", "한", "이"),
    ("שרה", "כהן", "שרה", "כהן"),
    ("علی\u{200c}رضا", "الأحمد", "علی\u{200c}رضا", "الأحمد"),
    ("Nguyễn", "Thị Hương", "Nguyễn", "Thị Hương"),
    ("Ștefan", "Țepeș", "Ștefan", "Țepeș"),
    ("José Mª", "de la Cruz", "José Mª", "de la Cruz"),
    ("अनन्या", "शर्मा", "अनन्या", "शर्मा"),
    (LONGEST, "Longest", LONGEST, "Longest"),
];

/// 64 characters and twice as many bytes.
const LONGEST: &str = "öööööööööööööööööööööööööööööööööööööööööööööööööööööööööööööööö";

/// Given name, surname, and the sentence of the plan.
const LEFT_OUT: [(&str, &str, &str); 15] = [
    ("Eva 😀", "Smile", "the given name holds an emoji or another symbol"),
    ("Eva", "Love ♥", "the surname holds an emoji or another symbol"),
    ("Eva", "Evil\u{202e}gro", "the surname holds an invisible character"),
    ("Eva\u{200b}", "Nowidth", "the given name holds an invisible character"),
    ("Eva", "\u{2067}Isolated\u{2069}", "the surname holds an invisible character"),
    ("\u{feff}Eva", "Mark", "the given name holds an invisible character"),
    ("\u{3164}", "Filler", "the given name holds an invisible character"),
    ("Eva", "Line\u{2028}break", "the surname holds a line break"),
    ("Eva", "Tab\tbed", "the surname holds a control character"),
    ("Eva", "Dam\u{fffd}ged", "the surname was damaged in the directory"),
    ("Eva", "Private\u{e000}", "the surname holds a character without a meaning"),
    (
        "ööööööööööööööööööööööööööööööööööööööööööööööööööööööööööööööööö",
        "Long",
        "the given name has more than 64 characters",
    ),
    (
        "Z\u{323}\u{324}\u{325}\u{326}\u{327}\u{328}\u{329}\u{32a}\u{32b}\u{32c}\u{32d}\u{32e}a",
        "Lgo",
        "the given name has more marks on one letter than can be read",
    ),
    ("-", "Placeholder", "the given name has no letter"),
    ("", "", "the directory has neither given name nor surname, and the product needs one"),
];

#[tokio::test]
async fn what_the_plan_says_about_a_name_is_what_the_certificate_holds() {
    let mut world = World::unconnected(Setting { people: 0, ..Setting::default() }).await;
    let directory = world.microsoft().directory();
    let add = |given: &str, surname: &str| {
        // Nobody's address depends on how a name is written.
        let number = directory.people().len();
        let mut person = directory.newcomer(&format!("Person{number}"), "");
        let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        (person.given_name, person.surname) = (name(given), name(surname));
        person.display_name = format!("{given} {surname}");
        directory.add(person)
    };
    let written = WRITTEN.map(|(given, surname, ..)| add(given, surname));
    let left_out = LEFT_OUT.map(|(given, surname, _)| add(given, surname));
    world.save_settings().await;
    world.operator.authorize().await;
    world.import().await;

    let batch = world.plan_for_everybody().await;
    let plan = world.operator.get(&format!("/batches/{batch}/plan?limit=200")).await;
    let row = |person: uuid::Uuid| {
        let mut rows = plan["items"].as_array().unwrap().iter();
        rows.find(|row| row["person"] == json!(person)).unwrap().clone()
    };
    for (person, (given, surname, sentence)) in left_out.into_iter().zip(LEFT_OUT) {
        let row = row(person);
        assert_eq!(row["assessment"], "unwritable_name", "{given:?} {surname:?}: {row}");
        assert!(row.to_string().contains(sentence), "{given:?} {surname:?}: {row}");
    }
    for person in written {
        assert_eq!(row(person)["assessment"], "new", "{}", row(person));
    }

    world.approve(&batch).await.done();
    world.until_states(&batch, [("imported", WRITTEN.len() as u64)]).await;
    world.everybody_has_one(WRITTEN.len() as u64).await;
    for (person, (.., given, surname)) in written.into_iter().zip(WRITTEN) {
        let certificate = certificate_of(&world, person);
        // `givenName` and `surname` as UTF8String (RFC 4519, 2.12 and 2.32).
        for (kind, name) in [(42, given), (4, surname)] {
            let length = u8::try_from(name.len()).unwrap();
            let length = if length < 0x80 { vec![length] } else { vec![0x81, length] };
            let attribute = [&[0x06, 0x03, 0x55, 0x04, kind, 0x0c], length.as_slice(), name.as_bytes()].concat();
            let is_there = certificate.windows(attribute.len()).any(|window| window == attribute);
            assert_eq!(is_there, !name.is_empty(), "{name:?} of {given:?} {surname:?}");
        }
    }
}

/// The certificate that the person's device has.
fn certificate_of(world: &World, person: uuid::Uuid) -> Vec<u8> {
    let record = world.microsoft().records().into_iter().find(|record| record.user_id == person).unwrap();
    let connector = world.microsoft().connector();
    let sealed = &record.encrypted_pfx_password;
    let password = connector.decrypt(&record.provider_name, &record.key_name, record.padding_scheme, sealed).unwrap();
    let pfx = Pfx::open(&record.pfx, std::str::from_utf8(&password).unwrap()).unwrap();
    pfx.leaf
}

#[tokio::test]
async fn people_are_found_by_their_name_however_it_is_composed_and_written() {
    let mut world = World::unconnected(Setting { people: 0, ..Setting::default() }).await;
    let directory = world.microsoft().directory();
    let composed = directory.add(directory.newcomer("Åsa", "Öberg"));
    let decomposed = directory.add(directory.newcomer("A\u{30a}sa", "O\u{308}sterlund"));
    let greek = directory.add(directory.newcomer("Οδυσσεύς", "Νικολαΐδης"));
    let quoted = directory.add(directory.newcomer("Sinéad", "O'Brien"));
    world.save_settings().await;
    world.operator.authorize().await;
    world.import().await;
    for (prefix, expected) in [
        ("Åsa", vec![composed, decomposed]),
        ("A\u{30a}SA", vec![composed, decomposed]),
        ("åsa ö", vec![composed, decomposed]),
        ("åsa o\u{308}b", vec![composed]),
        ("ÅSA ÖST", vec![decomposed]),
        ("ΟΔΥΣΣΕΎΣ", vec![greek]),
        ("ΟΔΥΣΣΕΎ", vec![greek]),
        ("sinéad o'", vec![quoted]),
        ("Sine\u{301}ad", vec![quoted]),
        ("asa", vec![]),
        ("%", vec![]),
        ("_sa", vec![]),
        ("\u{202e}", vec![]),
        ("😀", vec![]),
    ] {
        let asked: String = byte_serialize(prefix.as_bytes()).collect();
        let page = world.operator.get(&format!("/people?name={asked}")).await;
        let mut found: Vec<_> = page["items"].as_array().unwrap().iter().map(id).collect();
        let mut expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{prefix:?}");
    }
}

fn id(person: &Value) -> String {
    text(&person["id"])
}
