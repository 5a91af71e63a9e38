//! People as the directory gave them, at the size of a large organisation.

use domain::Person;
use ports::{DirectoryCursor, IntegrationStore, PeopleFilter, Platform};

use crate::samples::{MANY, all, at, connected, person, together};

pub async fn a_row_of_a_newer_generation_stays<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (_, rows) = connected(platform).await?;
    let newer = Person { generation: 5, ..person("Åsa Öberg", "asa@example.com") };
    let older = Person { generation: 4, display_name: Some("Åsa Ek".into()), ..newer.clone() };
    let same = Person { display_name: Some("Åsa Alm".into()), ..newer.clone() };
    rows.put_people(std::slice::from_ref(&newer)).await?;
    rows.put_people(&[older]).await?;
    assert_eq!(rows.person(newer.id).await?, Some(newer.clone()));
    rows.put_people(std::slice::from_ref(&same)).await?;
    assert_eq!(rows.person(newer.id).await?, Some(same));
    let by_old_name = PeopleFilter::Name { prefix: "Åsa Ö".into() };
    assert_eq!(rows.people(&by_old_name, None, 10).await?.items, []);
    Ok(())
}

pub async fn people_who_were_not_seen_are_marked_left_and_can_come_back<P: Platform>(
    platform: &P,
) -> anyhow::Result<()> {
    let (_, rows) = connected(platform).await?;
    let (mut gone, seen, deleted) =
        (person("A", "a@example.com"), person("B", "b@example.com"), person("C", "c@example.com"));
    rows.put_people(&[gone.clone(), seen.clone(), deleted.clone()]).await?;
    rows.put_people(&[Person { generation: 2, ..seen.clone() }]).await?;
    rows.mark_person_left(deleted.id).await?;
    assert_eq!(rows.mark_left(2).await?, 1, "one had left already");
    assert_eq!(rows.mark_left(2).await?, 0);

    let has_left = async |person: &Person| -> anyhow::Result<Option<bool>> {
        Ok(rows.person(person.id).await?.map(|person| person.left))
    };
    assert_eq!(has_left(&gone).await?, Some(true));
    assert_eq!(has_left(&seen).await?, Some(false));
    assert_eq!(has_left(&deleted).await?, Some(true));

    gone.generation = 3;
    rows.put_people(std::slice::from_ref(&gone)).await?;
    assert_eq!(rows.person(gone.id).await?, Some(gone));
    Ok(())
}

pub async fn an_address_counts_each_person_once<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (_, rows) = connected(platform).await?;
    let folded = "info@xn--mller-kva.example";
    let primary = person("A", "Info@müller.example");
    let mail = Person { mail: Some("INFO@Müller.example".into()), ..person("B", "b@müller.example") };
    let both = Person { mail: Some("info@xn--mller-kva.example".into()), ..person("C", " info@MÜLLER.example ") };
    let alias = Person { aliases: vec![folded.into()], ..person("D", "d@müller.example") };
    assert_eq!(rows.people_with_address(folded).await?, 0);
    rows.put_people(&[primary.clone(), mail.clone(), both, alias]).await?;
    assert_eq!(rows.people_with_address(folded).await?, 3);
    rows.mark_person_left(primary.id).await?;
    assert_eq!(rows.people_with_address(folded).await?, 2);
    rows.mark_person_left(mail.id).await?;
    assert_eq!(rows.people_with_address(folded).await?, 1);
    assert_eq!(rows.people_with_address("d@xn--mller-kva.example").await?, 1);
    Ok(())
}

pub async fn a_prefix_is_found_in_any_letter_case_and_script<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (_, rows) = connected(platform).await?;
    let names = ["Åsa Öberg", "Asa Berg", "ÅSA Ek", "Οδοσα", "小泉 花子", "100% Wool_Works", "åsb"];
    for (number, name) in names.into_iter().enumerate() {
        rows.put_people(&[person(name, &format!("person.{number}@example.com"))]).await?;
    }
    let mut nameless = Person { display_name: None, ..person("", "zacharias@example.com") };
    nameless.primary_smtp = None;
    nameless.mail = Some("Only.Mail@example.com".into());
    rows.put_people(&[nameless]).await?;

    let found = async |filter| -> anyhow::Result<Vec<String>> {
        let people = all(async |after| rows.people(&filter, after, 1).await).await?;
        Ok(people.iter().map(Person::shown_name).collect())
    };
    let named = async |prefix: &str| found(PeopleFilter::Name { prefix: prefix.into() }).await;
    let addressed = async |prefix: &str| found(PeopleFilter::Address { prefix: prefix.into() }).await;
    assert_eq!(named("åSA").await?, ["ÅSA Ek", "Åsa Öberg"]);
    assert_eq!(named("ΟΔΟΣ").await?, ["Οδοσα"]);
    assert_eq!(named("小").await?, ["小泉 花子"]);
    assert_eq!(named("100%").await?, ["100% Wool_Works"]);
    assert_eq!(named("%").await?, [""; 0]);
    assert_eq!(named("zach").await?, ["zacharias@example.com"]);
    assert_eq!(named("").await?.len(), names.len() + 1);
    assert_eq!(addressed("PERSON.4").await?, ["小泉 花子"]);
    assert_eq!(addressed("only").await?, ["zacharias@example.com"]);
    assert_eq!(addressed("person_").await?, [""; 0]);

    // A cursor of one list does not lead out of another.
    let everybody = rows.people(&PeopleFilter::Name { prefix: String::new() }, None, 1).await?;
    let elsewhere = rows.people(&PeopleFilter::Name { prefix: "小".into() }, everybody.next, 10).await?;
    assert!(elsewhere.items.iter().all(|person| person.shown_name().starts_with('小')));
    for garbage in ["", "?", "AAAA", "null"] {
        rows.people(&PeopleFilter::Everybody, Some(garbage.into()), 10).await?;
    }
    Ok(())
}

pub async fn the_directory_cursor_is_written_under_the_version_that_was_read<P: Platform>(
    platform: &P,
) -> anyhow::Result<()> {
    let (_, rows) = connected(platform).await?;
    let first = rows.directory_cursor().await?;
    assert_eq!(first, DirectoryCursor::default());
    let next = DirectoryCursor {
        generation: 1,
        running: true,
        started_at: Some(at(0)),
        next: Some("https://graph.example/?$skiptoken=x".into()),
        ..first
    };
    let writers = (0..MANY).map(|_| {
        let (rows, next) = (rows.clone(), next.clone());
        async move { rows.save_directory_cursor(&next).await }
    });
    let won = together(writers).await?;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    assert_eq!(rows.directory_cursor().await?, DirectoryCursor { version: next.version + 1, ..next });
    Ok(())
}

pub async fn twenty_thousand_people_are_found_by_name_and_address<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (_, rows) = connected(platform).await?;
    let surnames = ["Andersson", "Berg", "Carlsson", "Dahl", "Ek"];
    let mut people: Vec<Person> = (0..20_000)
        .map(|number| {
            let surname = surnames[number % surnames.len()];
            let address = format!("{surname}.{number:05}@example.com").to_lowercase();
            person(&format!("{surname}, Anna {number:05}"), &address)
        })
        .collect();
    for page in people.chunks(999) {
        rows.put_people(page).await?;
    }

    let bergs = PeopleFilter::Name { prefix: "berg".into() };
    let names = all(async |after| rows.people(&bergs, after, 300).await).await?;
    assert_eq!(names.len(), 4_000);
    assert!(names.is_sorted_by_key(|person| person.shown_name()));
    let addresses = PeopleFilter::Address { prefix: "Dahl.0".into() };
    let found = all(async |after| rows.people(&addresses, after, 300).await).await?;
    assert_eq!(found.len(), 2_000);
    assert!(found.is_sorted_by_key(|person| person.primary_smtp.clone()));
    let last = PeopleFilter::Address { prefix: "ek.19999".into() };
    assert_eq!(rows.people(&last, None, 10).await?.items.len(), 1);
    assert_eq!(rows.people_with_address("andersson.00000@example.com").await?, 1);

    // The next run sees all but every tenth.
    let (left, stayed): (Vec<_>, Vec<_>) = people.drain(..).enumerate().partition(|(number, _)| number % 10 == 0);
    for page in stayed.chunks(999) {
        let seen: Vec<_> = page.iter().map(|(_, person)| Person { generation: 2, ..person.clone() }).collect();
        rows.put_people(&seen).await?;
    }
    assert_eq!(rows.mark_left(2).await?, 2_000);
    let everybody = all(async |after| rows.people(&PeopleFilter::Everybody, after, 999).await).await?;
    assert_eq!(everybody.len(), 20_000, "nobody is deleted");
    assert!(everybody.is_sorted_by_key(|person| person.id));
    assert_eq!(everybody.iter().filter(|person| person.left).count(), left.len());
    Ok(())
}
