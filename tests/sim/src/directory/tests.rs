use super::*;

const TENANT: Uuid = Uuid::from_u128(7);

fn directory(seed: u64, people: usize) -> Directory {
    let (journal, _) = Journal::open(None).unwrap();
    Directory::new(seed, TENANT, &["example.com".to_owned(), "example.se".to_owned()], people, journal)
}

#[test]
fn one_seed_makes_the_same_people_and_another_seed_others() {
    let people = directory(1, 50).people();
    assert_eq!(people, directory(1, 50).people());
    assert_ne!(people, directory(2, 50).people());
    assert_eq!(people[..20], directory(1, 20).people());
}

#[test]
fn everybody_made_from_a_seed_can_be_enrolled_and_has_an_address_of_their_own() {
    let people = directory(3, 3000).people();
    let mut addresses = HashSet::new();
    for person in &people {
        let address = person.primary_address().unwrap();
        assert!(address.len() <= 64 && address.is_ascii(), "{address}");
        assert!(addresses.insert(address.to_owned()), "{address} twice");
        assert!(person.has_intune() && person.account_enabled);
        assert_eq!(person.user_type, UserType::Member);
    }
    let all: String = people.iter().map(|person| person.display_name.as_str()).collect();
    for letter in ['å', 'ä', 'ö', 'ß', '-', '\''] {
        assert!(all.contains(letter), "nobody has {letter}");
    }
    assert!(people.iter().any(|person| Some(&person.user_principal_name) != person.mail.as_ref()));
}

#[test]
fn the_special_people_are_what_they_are_called() {
    let directory = directory(1, 3);
    let found = |id| directory.person(id).unwrap();
    assert_eq!(found(directory.add_with_one_name("Björk")).surname, None);
    assert!(found(directory.add_guest("G", "Uest")).user_principal_name.contains("#EXT#"));
    assert!(!found(directory.add_disabled("D", "Isabled")).account_enabled);
    assert!(!found(directory.add_unlicensed("N", "Olicence")).has_intune());
    assert_eq!(found(directory.add_without_mailbox("N", "Omail")).primary_address(), None);
    assert!(found(directory.add_with_long_address("L", "Ong")).primary_address().unwrap().len() > 64);
    let first = &directory.people()[0];
    let twin = found(directory.add_with_address_of(first.id, "T", "Win").unwrap());
    assert_eq!(twin.primary_address(), first.primary_address());
    assert_ne!(twin.user_principal_name, first.user_principal_name);
}

#[test]
fn a_new_address_makes_an_alias_of_the_one_before() {
    let directory = directory(1, 1);
    let before = directory.people()[0].clone();
    directory.change(before.id, |person| person.readdress("new@example.com"));
    let after = directory.person(before.id).unwrap();
    assert_eq!(after.primary_address(), Some("new@example.com"));
    let alias = format!("smtp:{}", before.primary_address().unwrap());
    assert!(after.proxy_addresses.contains(&alias));
}

#[test]
fn members_of_groups_within_groups_are_found_once_even_in_a_circle() {
    let directory = directory(1, 3);
    let ids: Vec<Uuid> = directory.people().iter().map(|person| person.id).collect();
    let inner = directory.add_group("inner", &ids[1..]);
    let outer = directory.add_group("outer", &[ids[0], ids[1], inner]);
    directory.change_group(inner, |members| {
        members.insert(outer);
    });
    assert_eq!(directory.transitive_members(outer).unwrap(), ids.into_iter().collect());
    assert_eq!(directory.transitive_members(Uuid::nil()), None);
}

#[test]
fn edits_survive_a_restart_and_keep_their_place_in_the_order_of_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let open = || {
        let (journal, entries) = Journal::open(Some(&path)).unwrap();
        let directory = Directory::new(1, TENANT, &["example.com".to_owned()], 3, journal);
        directory.resume(&entries).unwrap();
        directory
    };
    let directory = open();
    let ids: Vec<Uuid> = directory.people().iter().map(|person| person.id).collect();
    directory.delete(ids[0], Removal::Restorable);
    directory.disable(ids[1]);
    let added = directory.add_with_one_name("Björk");
    let group = directory.add_group("g", &[added]);

    let again = open();
    assert_eq!(again.people(), directory.people());
    assert_eq!(again.version(), directory.version());
    assert_eq!(again.group(group), directory.group(group));
    let (changes, more) = again.changes_between(3, again.version(), 10);
    assert!(!more);
    assert!(matches!(changes[0].1, Change::Removed(id, Removal::Restorable) if id == ids[0]));
    assert_eq!(changes.len(), 3);
}
