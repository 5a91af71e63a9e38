//! SSL.com's web services as a judge: orders, validation, issuance, revocation, callbacks.
//!
//! Written from the public documents (the Apiary text, the OpenAPI description, the PHP SDK) and
//! from what a public client saw in the sandbox in 2026-06. Where those are silent, [`Behaviour`]
//! has a switch. Whatever is not understood is refused.

mod api;
mod books;
mod bundle;
mod callback;
mod fields;
mod listing;
mod order;
mod pace;
mod purchase;
mod submission;
mod world;

pub mod behaviour;
pub mod catalogue;

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;

pub use self::{
    behaviour::Behaviour,
    books::Defects,
    catalogue::{Account, Organisation, PrevalidatedDomain, Product},
    order::OrderState,
};
use self::{order::Order, world::World};
use crate::{
    ca::{Issued, KeyKind},
    faults::Faults,
    server::Server,
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How to start an SSL.com.
pub struct Options {
    /// Decides the references of orders and opens the sealed keys of a journaled world.
    pub seed: u64,
    /// A folder in which the world survives its process.
    pub journal: Option<PathBuf>,
    /// Any free port unless given.
    pub port: Option<u16>,
    pub accounts: Vec<Account>,
    pub organisations: Vec<Organisation>,
    pub products: Vec<Product>,
    pub behaviour: Behaviour,
    pub faults: Faults,
    /// From the last thing that was missing to the certificate. `None`: not before [`SslCom::issue`].
    pub issue_after: Option<Duration>,
    /// What time it is here.
    pub clock: Clock,
    /// What a new world's CA signs with; a journaled world keeps its CA.
    pub ca_keys: KeyKind,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            journal: None,
            port: None,
            accounts: Vec::new(),
            organisations: Vec::new(),
            products: Product::catalogue(),
            behaviour: Behaviour::default(),
            faults: Faults::default(),
            issue_after: Some(Duration::from_millis(150)),
            clock: Arc::new(Timestamp::now),
            ca_keys: KeyKind::default(),
        }
    }
}

/// A running SSL.com. Dropping it stops everything in it.
pub struct SslCom {
    world: Arc<World>,
    server: Server,
}

/// What was bought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Till {
    pub purchases: u64,
    pub spent_cents: u64,
    /// The references that were bought under each external_order_number.
    pub by_external_order_number: BTreeMap<String, Vec<String>>,
}

/// An order as the CA sees it.
#[derive(Clone, Debug)]
pub struct OrderRecord {
    pub reference: String,
    /// A hash of the account's key.
    pub account: String,
    pub product: u32,
    pub period_days: u32,
    pub amount_cents: u64,
    pub external_order_number: Option<String>,
    pub created: Timestamp,
    pub state: OrderState,
    pub mailbox: Option<String>,
    pub certificate: Option<Issued>,
    /// Serials that were replaced by a later request.
    pub superseded: Vec<String>,
    pub revoked: Vec<String>,
    /// How many validation mails went out for the present request.
    pub validation_mails: u32,
    /// The receiver of the callback was called, or is being called.
    pub called_back: bool,
}

impl SslCom {
    /// Opens or makes the world and serves it on localhost.
    ///
    /// # Errors
    /// When the journal cannot be read, belongs to another seed, or the port is taken.
    pub async fn start(options: Options) -> io::Result<Self> {
        let (faults, port) = (options.faults.clone(), options.port);
        let world = World::open(options)?;
        let router = api::router(Arc::clone(&world));
        let server = Server::start(router, faults, api::call_name, port).await?;
        Ok(Self { world, server })
    }

    /// Stops, and returns when the port is free again.
    pub async fn stop(mut self) {
        self.world.close();
        self.server.stop().await;
    }

    pub fn base_url(&self) -> &str {
        self.server.base_url()
    }

    /// How many requests of each call arrived.
    pub fn all_calls(&self) -> BTreeMap<&'static str, u64> {
        self.server.all_calls()
    }

    /// How many requests of this call arrived, e.g. `sslcom.create`.
    pub fn calls(&self, name: &str) -> u64 {
        self.server.calls(name)
    }

    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    pub fn behaviour(&self) -> Behaviour {
        self.world.behaviour().clone()
    }

    /// Takes effect with the next request.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        *self.world.behaviour() = behaviour;
    }

    pub fn till(&self) -> Till {
        let books = self.world.books();
        let mut till = Till::default();
        for order in &books.orders {
            till.purchases += 1;
            till.spent_cents += order.amount_cents;
            if let Some(number) = &order.external_order_number {
                let references = till.by_external_order_number.entry(number.clone()).or_default();
                references.push(order.reference.clone());
            }
        }
        till
    }

    /// Every order, the oldest first.
    pub fn orders(&self) -> Vec<OrderRecord> {
        self.world.books().orders.iter().map(Order::record).collect()
    }

    /// How many orders are in such a state; made to be asked after every change.
    pub fn count(&self, wanted: impl Fn(&OrderState) -> bool) -> usize {
        self.world.books().orders.iter().filter(|order| wanted(&order.state)).count()
    }

    pub fn order(&self, reference: &str) -> Option<OrderRecord> {
        let books = self.world.books();
        books.by_reference.get(reference).map(|number| books.orders[*number].record())
    }

    pub fn defects(&self) -> Defects {
        self.world.books().defects.clone()
    }

    pub fn root_certificate_pem(&self) -> String {
        bundle::pem("CERTIFICATE", self.world.ca.root_der())
    }

    pub fn issuing_certificate_pem(&self) -> String {
        bundle::pem("CERTIFICATE", self.world.ca.issuing_der())
    }

    /// The person clicks the link in every validation mail of the last 24 hours. Returns how many
    /// orders that validated.
    pub fn click(&self, mailbox: &str) -> usize {
        self.world.click_mailbox(mailbox)
    }

    /// The CA's staff check the person and the organisation of this order by hand. Returns whether
    /// there is such an order.
    pub fn vet(&self, reference: &str) -> bool {
        self.by_hand(reference, |world, number| world.vet(number))
    }

    /// The CA's staff turn an open order down. Returns whether there is such an order.
    pub fn reject(&self, reference: &str, status_text: &str) -> bool {
        self.by_hand(reference, |world, number| world.reject(number, status_text))
    }

    /// The references of the orders for which nothing is missing but the CA's signature.
    pub fn ready(&self) -> Vec<String> {
        self.world.ready()
    }

    /// The CA signs. Returns whether there is such an order and it was ready.
    pub fn issue(&self, reference: &str) -> bool {
        let ready = self.ready().iter().any(|ready| ready == reference);
        ready && self.by_hand(reference, World::issue)
    }

    /// Somebody pays in.
    pub fn add_funds(&self, account_key: &str, cents: u64) {
        self.world.add_funds(account_key, cents);
    }

    /// Tells of every change: of orders, validations, certificates, defects.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.world.changes()
    }

    /// Returns as soon as it `holds`, which is asked again after every change.
    pub async fn until(&self, mut holds: impl FnMut(&Self) -> bool) {
        let mut changes = self.changed();
        while !holds(self) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn by_hand(&self, reference: &str, act: impl FnOnce(&World, usize)) -> bool {
        let number = self.world.books().by_reference.get(reference).copied();
        if let Some(number) = number {
            act(&self.world, number);
        }
        number.is_some()
    }
}

impl Drop for SslCom {
    fn drop(&mut self) {
        self.world.close();
    }
}

#[cfg(test)]
mod tests;
