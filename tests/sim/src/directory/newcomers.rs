//! People that the seed does not make: those whom an enrollment must refuse, or take care with.

use uuid::Uuid;

use super::{
    Directory,
    person::{INTUNE_A, Person, UserType, licensed},
};

impl Directory {
    /// An enrollable person who is not in the directory yet; change and [`add`](Self::add) them.
    pub fn newcomer(&self, given_name: &str, surname: &str) -> Person {
        let ascii = |name: &str| -> String {
            let letters = name.chars().filter(char::is_ascii_alphanumeric);
            letters.map(|letter| letter.to_ascii_lowercase()).collect()
        };
        let domain = &self.domains[0];
        let wanted = format!("{}.{}", ascii(given_name), ascii(surname));
        // Nobody's address begins or ends with a dot, also where one of the names is missing.
        let local_part = self.lock().free_local_part(wanted.trim_matches('.'), domain);
        licensed(Uuid::new_v4(), given_name, surname, &local_part, domain)
    }

    /// Adds somebody whose whole name is one word, e.g. a stage name or a mononym.
    pub fn add_with_one_name(&self, name: &str) -> Uuid {
        let mut person = self.newcomer(name, "");
        person.surname = None;
        name.clone_into(&mut person.display_name);
        self.add(person)
    }

    pub fn add_guest(&self, given_name: &str, surname: &str) -> Uuid {
        let mut person = self.newcomer(given_name, surname);
        person.user_type = UserType::Guest;
        person.user_principal_name =
            format!("{}#EXT#@{}", person.user_principal_name.replace('@', "_"), self.domains[0]);
        person.assigned_plans.clear();
        self.add(person)
    }

    pub fn add_disabled(&self, given_name: &str, surname: &str) -> Uuid {
        let mut person = self.newcomer(given_name, surname);
        person.account_enabled = false;
        self.add(person)
    }

    /// Adds somebody whose Intune plan was taken away.
    pub fn add_unlicensed(&self, given_name: &str, surname: &str) -> Uuid {
        let mut person = self.newcomer(given_name, surname);
        for plan in &mut person.assigned_plans {
            plan.enabled = plan.service_plan_id != INTUNE_A;
        }
        self.add(person)
    }

    pub fn add_without_mailbox(&self, given_name: &str, surname: &str) -> Uuid {
        let mut person = self.newcomer(given_name, surname);
        person.mail = None;
        person.proxy_addresses.clear();
        self.add(person)
    }

    /// Adds somebody with an address of more than 64 characters.
    pub fn add_with_long_address(&self, given_name: &str, surname: &str) -> Uuid {
        let mut person = self.newcomer(given_name, surname);
        person.readdress(&format!("{}@{}", "a".repeat(64), self.domains[0]));
        self.add(person)
    }

    /// Adds somebody who has another's primary address, which a synchronisation fault can do.
    pub fn add_with_address_of(&self, other: Uuid, given_name: &str, surname: &str) -> Option<Uuid> {
        let address = self.person(other)?.primary_address()?.to_owned();
        let mut person = self.newcomer(given_name, surname);
        person.readdress(&address);
        Some(self.add(person))
    }
}
