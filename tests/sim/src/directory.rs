//! The people and groups of one simulated tenant.
//!
//! They are made from the world's seed, so that two worlds with one seed have the same people, and
//! every change gets a number of its own, so that a delta query can say what happened since.

mod names;
mod newcomers;
mod person;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::journal::{Entry, Journal};
use names::Draw;
pub(crate) use names::id_from;
use person::licensed;
pub use person::{AssignedPlan, INTUNE_A, Person, UserType};

/// A group; its members are people or other groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub id: Uuid,
    pub display_name: String,
    pub members: BTreeSet<Uuid>,
}

/// Whether a deleted person can come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Removal {
    /// Soft-deleted: Graph says `changed`.
    Restorable,
    /// Gone for good: Graph says `deleted`.
    Final,
}

/// What happened to one person since a version, see [`Directory::changes_between`].
pub(crate) enum Change {
    Present(Box<Person>),
    Removed(Uuid, Removal),
}

/// A tenant's directory. Clones share it.
#[derive(Clone)]
pub struct Directory {
    tenant: Uuid,
    domains: Arc<[String]>,
    journal: Journal,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    people: BTreeMap<u64, Slot>,
    places: HashMap<Uuid, u64>,
    principal_names: HashMap<String, Uuid>,
    /// Every address that anybody ever had, in lower case: none is given to a newcomer.
    addresses: HashSet<String>,
    changes: BTreeMap<u64, Uuid>,
    groups: BTreeMap<Uuid, Group>,
    version: u64,
    /// Delta tokens from before this version have expired.
    oldest_delta: u64,
}

/// A person's place in the directory, which a removal leaves behind.
#[derive(Clone, Serialize, Deserialize)]
struct Slot {
    place: u64,
    version: u64,
    person: Person,
    removed: Option<Removal>,
}

impl Directory {
    /// The same people for the same seed, tenant, domains and number. All of them can be
    /// enrolled: licensed, enabled, members, with a primary address of at most 64 characters.
    pub(crate) fn new(seed: u64, tenant: Uuid, domains: &[String], people: usize, journal: Journal) -> Self {
        let directory = Self { tenant, domains: domains.into(), journal, state: Arc::default() };
        let mut state = directory.lock();
        for number in 0..people as u64 {
            let draw = Draw::new(seed, tenant, number);
            let name = names::name(&draw);
            let domain = &domains[draw.number(2, domains.len())];
            let local_part = state.free_local_part(&name.local_part, domain);
            let mut person = licensed(draw.id(), name.given, name.surname, &local_part, domain);
            if number % 7 == 6 {
                person.user_principal_name = format!("u{number:05}@{domain}");
            }
            state.put(person, None);
        }
        drop(state);
        directory
    }

    /// Takes up what an earlier run of the world journaled.
    pub(crate) fn resume(&self, entries: &[Entry]) -> io::Result<()> {
        let prefix = format!("{}/", self.tenant);
        let mut state = self.lock();
        for entry in entries.iter().filter(|entry| entry.key.starts_with(&prefix)) {
            match entry.kind.as_str() {
                "person" => state.restore(serde_json::from_value(entry.value.clone())?),
                "group" => {
                    let group: Group = serde_json::from_value(entry.value.clone())?;
                    state.groups.insert(group.id, group);
                }
                "oldest-delta" => state.oldest_delta = serde_json::from_value(entry.value.clone())?,
                _ => {}
            }
        }
        Ok(())
    }

    pub fn domains(&self) -> &[String] {
        &self.domains
    }

    /// Everybody who is not deleted, in the order in which they came.
    pub fn people(&self) -> Vec<Person> {
        self.lock().present().map(|slot| slot.person.clone()).collect()
    }

    pub fn person(&self, id: Uuid) -> Option<Person> {
        let state = self.lock();
        let slot = state.slot(id)?;
        slot.removed.is_none().then(|| slot.person.clone())
    }

    /// By user principal name, without regard to case.
    pub fn person_named(&self, user_principal_name: &str) -> Option<Person> {
        let id = self.lock().principal_names.get(&user_principal_name.to_lowercase()).copied()?;
        self.person(id)
    }

    /// Adds a person, or replaces the one with this id.
    ///
    /// # Panics
    /// When somebody else has the user principal name, which Entra refuses.
    pub fn add(&self, person: Person) -> Uuid {
        let mut state = self.lock();
        let owner = state.principal_names.get(&person.user_principal_name.to_lowercase());
        assert!(
            owner.is_none_or(|owner| *owner == person.id),
            "the user principal name {} is taken",
            person.user_principal_name
        );
        let id = person.id;
        let slot = state.put(person, None);
        self.write(&slot);
        id
    }

    /// Changes a person; nothing happens when nobody has this id.
    pub fn change(&self, id: Uuid, change: impl FnOnce(&mut Person)) {
        if let Some(mut person) = self.person(id) {
            change(&mut person);
            person.id = id;
            self.add(person);
        }
    }

    pub fn disable(&self, id: Uuid) {
        self.change(id, |person| person.account_enabled = false);
    }

    /// Deletes a person and leaves a tombstone for delta queries.
    pub fn delete(&self, id: Uuid, removal: Removal) {
        let mut state = self.lock();
        if let Some(person) = state.slot(id).map(|slot| slot.person.clone()) {
            let slot = state.put(person, Some(removal));
            self.write(&slot);
        }
    }

    pub fn add_group(&self, display_name: &str, members: &[Uuid]) -> Uuid {
        let group = Group {
            id: Uuid::new_v4(),
            display_name: display_name.to_owned(),
            members: members.iter().copied().collect(),
        };
        let id = group.id;
        self.put_group(group);
        id
    }

    pub fn group(&self, id: Uuid) -> Option<Group> {
        self.lock().groups.get(&id).cloned()
    }

    /// Changes a group's members; nothing happens when there is no such group.
    pub fn change_group(&self, id: Uuid, change: impl FnOnce(&mut BTreeSet<Uuid>)) {
        if let Some(mut group) = self.group(id) {
            change(&mut group.members);
            self.put_group(group);
        }
    }

    /// Every delta token that was given out is answered with 410 from now on.
    pub fn expire_delta_tokens(&self) {
        let mut state = self.lock();
        state.version += 1;
        state.oldest_delta = state.version;
        self.append("oldest-delta", "-", &state.oldest_delta);
    }

    /// At most `limit` people that `wanted` accepts after a place, and whether there are more.
    pub(crate) fn page_after(
        &self,
        place: u64,
        limit: usize,
        wanted: impl Fn(&Person) -> bool,
    ) -> (Vec<(u64, Person)>, bool) {
        let state = self.lock();
        let mut later =
            state.people.range(place + 1..).filter(|(_, slot)| slot.removed.is_none() && wanted(&slot.person));
        let page: Vec<_> = later.by_ref().take(limit).map(|(place, slot)| (*place, slot.person.clone())).collect();
        let more = later.next().is_some();
        (page, more)
    }

    /// The people in a group and in the groups within it, or nothing when there is no such group.
    pub(crate) fn transitive_members(&self, group: Uuid) -> Option<HashSet<Uuid>> {
        let state = self.lock();
        let mut open = vec![state.groups.get(&group)?];
        let mut seen = HashSet::from([group]);
        let mut people = HashSet::new();
        while let Some(group) = open.pop() {
            for member in &group.members {
                if let Some(inner) = state.groups.get(member) {
                    if seen.insert(*member) {
                        open.push(inner);
                    }
                } else {
                    people.insert(*member);
                }
            }
        }
        Some(people)
    }

    /// The number of the last change.
    pub(crate) fn version(&self) -> u64 {
        self.lock().version
    }

    /// Whether a delta token from this version is still answered.
    pub(crate) fn remembers(&self, version: u64) -> bool {
        let state = self.lock();
        version >= state.oldest_delta && version <= state.version
    }

    /// At most `limit` changes after one version up to another, each with its version, and
    /// whether there are more.
    pub(crate) fn changes_between(&self, after: u64, until: u64, limit: usize) -> (Vec<(u64, Change)>, bool) {
        let state = self.lock();
        if after >= until {
            return (Vec::new(), false);
        }
        let mut changes = state.changes.range(after + 1..=until);
        let page: Vec<_> = changes
            .by_ref()
            .take(limit)
            .filter_map(|(version, id)| {
                let slot = state.slot(*id)?;
                let change = match slot.removed {
                    Some(removal) => Change::Removed(*id, removal),
                    None => Change::Present(Box::new(slot.person.clone())),
                };
                Some((*version, change))
            })
            .collect();
        let more = changes.next().is_some();
        (page, more)
    }

    fn put_group(&self, group: Group) {
        self.append("group", &group.id.to_string(), &group);
        self.lock().groups.insert(group.id, group);
    }

    fn write(&self, slot: &Slot) {
        self.append("person", &slot.person.id.to_string(), slot);
    }

    fn append(&self, kind: &str, key: &str, value: &impl Serialize) {
        self.journal
            .append(kind, &format!("{}/{key}", self.tenant), value)
            .expect("a world that cannot write its journal must not go on");
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn slot(&self, id: Uuid) -> Option<&Slot> {
        self.people.get(self.places.get(&id)?)
    }

    fn present(&self) -> impl Iterator<Item = &Slot> {
        self.people.values().filter(|slot| slot.removed.is_none())
    }

    fn put(&mut self, person: Person, removed: Option<Removal>) -> Slot {
        self.version += 1;
        let place = self.places.get(&person.id).copied();
        let place = place.unwrap_or_else(|| self.people.last_key_value().map_or(1, |(place, _)| place + 1));
        let slot = Slot { place, version: self.version, person, removed };
        self.restore(slot.clone());
        slot
    }

    fn restore(&mut self, slot: Slot) {
        let id = slot.person.id;
        if let Some(before) = self.places.get(&id).and_then(|place| self.people.remove(place)) {
            self.changes.remove(&before.version);
            self.principal_names.remove(&before.person.user_principal_name.to_lowercase());
        }
        if slot.removed.is_none() {
            self.principal_names.insert(slot.person.user_principal_name.to_lowercase(), id);
        }
        let person = &slot.person;
        self.addresses.insert(person.user_principal_name.to_lowercase());
        let entries = person.proxy_addresses.iter();
        self.addresses.extend(entries.filter_map(|entry| Some(entry.split_once(':')?.1.to_lowercase())));
        self.changes.insert(slot.version, id);
        self.places.insert(id, slot.place);
        self.version = self.version.max(slot.version);
        self.people.insert(slot.place, slot);
    }

    fn free_local_part(&self, wanted: &str, domain: &str) -> String {
        std::iter::once(wanted.to_owned())
            .chain((2..).map(|number| format!("{wanted}{number}")))
            .find(|local_part| !self.addresses.contains(&format!("{local_part}@{domain}").to_lowercase()))
            .expect("the numbers do not end")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests;
