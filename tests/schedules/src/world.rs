//! The world of one schedule: fresh vendors, a fresh database, an organisation with its people and its plans.

use std::collections::BTreeMap;

use domain::{
    Batch, BatchId, Enrollment, EnrollmentId, Integration, IntegrationId, Money, Person, PersonId, Purpose,
    batch::{BatchStatus, Selection},
    enrollment::Product,
};
use flow::settings_input::SettingsInput;
use local::platform::{LocalIntegrationStore, LocalPlatform};
use ports::{EnrollmentFilter, IntegrationStore, Platform, SecretKind, Store, Vault};
use secrecy::SecretString;
use serde_json::{Value, json};
use sim::{
    microsoft::Microsoft,
    sslcom::{
        Behaviour, SslCom,
        behaviour::{Callback, ExternalOrderNumber},
    },
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    lane::{ACCOUNT_KEY, Lane, MOST_PEOPLE, PRICE_CENTS, PRODUCT, SECRET_KEY, account, folder, tenant},
    random::Random,
};

/// What the seed decides before anything happens.
pub(crate) struct Traits {
    pub(crate) people: usize,
    /// Purpose and people of each plan.
    plans: Vec<(Purpose, Vec<usize>)>,
    pub(crate) behaviour: Behaviour,
    funds_cents: u64,
    key_algorithm: &'static str,
    pfx_profile: &'static str,
    /// Of a thousand calls so many go wrong.
    pub(crate) faults: usize,
    /// Choices before everything settles.
    pub(crate) steps: usize,
}

impl Traits {
    pub(crate) fn of(random: &mut Random) -> Self {
        let people = random.between(1, MOST_PEOPLE as i64) as usize;
        let everybody: Vec<usize> = (0..people).collect();
        let mut plans = vec![(Purpose::General, everybody.clone())];
        if random.chance(450) {
            let purpose = if random.chance(750) { Purpose::General } else { Purpose::Encryption };
            let some: Vec<usize> = everybody.iter().copied().filter(|_| random.chance(700)).collect();
            plans.push((purpose, if some.is_empty() { everybody } else { some }));
        }
        let external_order_number = random.weighted(&[
            (55, ExternalOrderNumber::Echoed),
            (10, ExternalOrderNumber::Searchable),
            (20, ExternalOrderNumber::Retrieved),
            (15, ExternalOrderNumber::Forgotten),
        ]);
        let callback = random.weighted(&[
            (40, Callback::Json),
            (15, Callback::Early),
            (15, Callback::Twice),
            (10, Callback::Get),
            (20, Callback::None),
        ]);
        let behaviour = Behaviour {
            external_order_number,
            callback,
            first_page: u32::from(random.chance(700)),
            epki_automatic: random.chance(800),
            errors_with_200: random.chance(300),
            ..Behaviour::default()
        };
        let orders: usize = plans.iter().map(|(_, people)| people.len()).sum();
        let paid = if random.chance(120) { random.below(orders) } else { orders + 4 };
        Self {
            people,
            plans,
            behaviour,
            funds_cents: paid as u64 * PRICE_CENTS,
            key_algorithm: if random.chance(60) { "rsa2048" } else { "p256" },
            pfx_profile: if random.chance(300) { "modern" } else { "compatible" },
            faults: *random.of(&[10, 60, 150, 300]).unwrap_or(&60),
            steps: random.between(80, 650) as usize,
        }
    }

    /// Everything goes well for one person.
    #[cfg(test)]
    pub(crate) fn of_one_person() -> Self {
        Self {
            people: 1,
            plans: vec![(Purpose::General, vec![0])],
            behaviour: Behaviour::default(),
            funds_cents: 10 * PRICE_CENTS,
            key_algorithm: "p256",
            pfx_profile: "compatible",
            faults: 0,
            steps: 0,
        }
    }
}

pub(crate) struct World {
    pub(crate) sslcom: SslCom,
    pub(crate) microsoft: Microsoft,
    pub(crate) integration: IntegrationId,
    pub(crate) rows: LocalIntegrationStore,
    pub(crate) batches: Vec<BatchId>,
    /// As they were planned, with the name of each in the trace.
    pub(crate) planned: BTreeMap<EnrollmentId, (String, Enrollment)>,
    pub(crate) local: LocalPlatform,
    /// Removed with the world.
    _folder: TempDir,
}

impl World {
    /// Everything but the plans' rows, for which the product has to run.
    pub(crate) async fn new(lane: &Lane, traits: &Traits) -> Self {
        let folder = folder();
        let (sslcom, microsoft) =
            lane.new_vendors(&folder.path().join("vendors"), traits.behaviour.clone(), traits.funds_cents).await;
        let local = LocalPlatform::open(&folder.path().join("data"), lane.clock.as_clock()).unwrap();
        let integration = IntegrationId(Uuid::new_v4());
        let rows = local.store().of(integration);
        let world = Self {
            sslcom,
            microsoft,
            integration,
            rows,
            batches: (0..traits.plans.len()).map(|number| BatchId(Uuid::from_u128(0xba + number as u128))).collect(),
            planned: BTreeMap::new(),
            local,
            _folder: folder,
        };
        world.connect(lane, traits).await;
        let people = world.import(traits.people).await;
        for (id, (purpose, listed)) in world.batches.iter().zip(&traits.plans) {
            let listed: Vec<PersonId> = listed.iter().map(|number| people[*number]).collect();
            world.rows.create_batch(&world.batch(lane, *id, *purpose), &listed).await.unwrap();
        }
        world
    }

    async fn connect(&self, lane: &Lane, traits: &Traits) {
        let Value::Object(typed) = self.settings(traits) else { return };
        let (input, problems) = SettingsInput::from_fields(typed);
        assert!(problems.is_empty(), "{problems:?}");
        let (settings, _) = input.parse(true).unwrap();
        let row = Integration {
            id: self.integration,
            settings,
            ground: 1,
            authorized: None,
            created_at: lane.start,
            version: 0,
        };
        assert!(self.local.store().create_integration(&row).await.unwrap());
        let sslcom = json!({ "account_key": ACCOUNT_KEY, "secret_key": SECRET_KEY }).to_string();
        for (kind, secret) in [(SecretKind::Entra, tenant().client_secret), (SecretKind::SslCom, sslcom)] {
            self.local.vault().put_secret(self.integration, kind, SecretString::from(secret)).await.unwrap();
        }
    }

    fn settings(&self, traits: &Traits) -> Value {
        let mut settings = sim::operator::settings(&tenant(), self.microsoft.connector(), &account(0));
        settings["key_algorithm"] = json!(traits.key_algorithm);
        settings["pfx_profile"] = json!(traits.pfx_profile);
        settings
    }

    /// The first people of the directory, as an import would have written them.
    async fn import(&self, count: usize) -> Vec<PersonId> {
        let people = self.microsoft.directory().people();
        let rows: Vec<Person> = people.iter().take(count).map(imported).collect();
        self.rows.put_people(&rows).await.unwrap();
        rows.iter().map(|person| person.id).collect()
    }

    fn batch(&self, lane: &Lane, id: BatchId, purpose: Purpose) -> Batch {
        Batch {
            id,
            integration: self.integration,
            purpose,
            product: Product { code: PRODUCT, days: 365, price: Money(PRICE_CENTS) },
            selection: Selection::Listed,
            status: BatchStatus::Planning,
            ground: 1,
            requested_by: "operator".to_owned(),
            approved_by: None,
            planned: 0,
            left_out: 0,
            total: Money(0),
            cursor: None,
            due_at: None,
            created_at: lane.start,
            version: 0,
        }
    }

    pub(crate) async fn enrollments(&self) -> Vec<Enrollment> {
        let page = self.rows.enrollments(&EnrollmentFilter::Everything, None, 100).await.unwrap();
        let mut rows = page.items;
        rows.sort_by_key(|row| row.id);
        rows
    }

    /// How the trace calls an enrollment.
    pub(crate) fn name(&self, enrollment: EnrollmentId) -> &str {
        self.planned.get(&enrollment).map_or("?", |(name, _)| name)
    }
}

fn imported(person: &sim::directory::Person) -> Person {
    Person {
        id: PersonId(person.id),
        user_principal_name: person.user_principal_name.clone(),
        display_name: Some(person.display_name.clone()),
        given_name: person.given_name.clone(),
        surname: person.surname.clone(),
        mail: person.mail.clone(),
        primary_smtp: person.primary_address().map(str::to_owned),
        aliases: Vec::new(),
        enabled: true,
        guest: false,
        plans: person.assigned_plans.iter().filter(|plan| plan.enabled).map(|plan| plan.service_plan_id).collect(),
        generation: 1,
        left: false,
    }
}
