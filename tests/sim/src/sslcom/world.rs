//! The CA's books: orders with their indexes, and what happens to them by itself.
//!
//! Every change is journaled before it can be seen, and orders go on after a restart.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;
use tokio::{runtime::Handle, sync::watch};

use super::{
    Clock, Options,
    behaviour::{Behaviour, Callback, KeyUsage},
    books::{Books, Defects},
    bundle,
    callback::{self, Call},
    catalogue::{Account, Organisation, Product, account_id},
    order::{Order, OrderState},
    pace::Window,
};
use crate::{
    ca::{self, CertificateAuthority, CertificateType, Profile, Usage, csr::SigningRequest},
    journal::Journal,
};

/// The code in a validation mail lives for a day: S/MIME BR 3.2.2.2.
const MAIL_LIVES: Duration = Duration::from_secs(24 * 3600);

pub(super) struct World {
    pub(super) ca: CertificateAuthority,
    pub(super) accounts: HashMap<String, Account>,
    pub(super) organisations: Vec<Organisation>,
    pub(super) products: Vec<Product>,
    pub(super) seed: u64,
    pub(super) window: Mutex<Window>,
    issue_after: Option<Duration>,
    clock: Clock,
    behaviour: Mutex<Behaviour>,
    books: Mutex<Books>,
    journal: Journal,
    changes: watch::Sender<u64>,
    client: reqwest::Client,
    runtime: Handle,
    /// The world itself, for what happens later: nothing that is merely planned keeps it alive.
    own: Weak<Self>,
}

/// What happens to an order by itself.
pub(super) enum Then {
    Issue(usize),
    Click { number: usize, after: Duration },
    Call(Call),
}

impl World {
    /// Opens the books, and lets every order go on where it stood.
    pub(super) fn open(options: Options) -> io::Result<Arc<Self>> {
        let path = options.journal.map(|folder| folder.join("sslcom.jsonl"));
        let (journal, entries) = Journal::open(path.as_deref())?;
        let (books, stored_ca) = Books::read(entries)?;
        let ca = match stored_ca {
            Some(stored) => CertificateAuthority::restore(&stored, options.seed)?,
            None => {
                let ca = CertificateAuthority::generate(options.ca_keys, (options.clock)());
                journal.append("ca", "", &ca.store(options.seed))?;
                ca
            }
        };
        let client = callback::client().map_err(io::Error::other)?;
        let world = Arc::new_cyclic(|own| Self {
            ca,
            accounts: options.accounts.into_iter().map(|account| (account.id(), account)).collect(),
            organisations: options.organisations,
            products: options.products,
            seed: options.seed,
            window: Mutex::new(Window::beginning_now()),
            issue_after: options.issue_after,
            clock: options.clock,
            behaviour: Mutex::new(options.behaviour),
            books: Mutex::new(books),
            journal,
            changes: watch::Sender::new(0),
            client,
            runtime: Handle::current(),
            own: Weak::clone(own),
        });
        world.resume();
        Ok(world)
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(super) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The books for reading; changes go through [`change`](Self::change).
    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Nothing changes any more, not even by a request that is under way.
    pub(super) fn close(&self) {
        self.books().closed = true;
    }

    /// Changes the books, unless they are closed.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Books) -> T) -> Option<T> {
        let mut books = self.books();
        if books.closed {
            return None;
        }
        let result = change(&mut books);
        drop(books);
        self.changes.send_modify(|version| *version += 1);
        Some(result)
    }

    pub(super) fn count_defect(&self, which: impl FnOnce(&mut Defects) -> &mut u64) {
        self.change(|books| self.add_defect(books, which));
    }

    pub(super) fn add_defect(&self, books: &mut Books, which: impl FnOnce(&mut Defects) -> &mut u64) {
        *which(&mut books.defects) += 1;
        self.write("defects", "", &books.defects);
    }

    pub(super) fn add_funds(&self, account_key: &str, cents: u64) {
        self.change(|books| {
            let account = account_id(account_key);
            let added = books.added_cents.entry(account.clone()).or_default();
            *added += cents;
            self.write("funds", &account, added);
        });
    }

    /// Moves an order as far as it comes by itself, journals it, and says what is to happen next.
    pub(super) fn save(&self, books: &mut Books, number: usize) -> Vec<Then> {
        let then = self.advance(&mut books.orders[number], self.now());
        let order = &books.orders[number];
        self.write("order", &order.reference, order);
        then
    }

    /// Lets what [`save`](Self::save) returned happen, after the books are free again.
    pub(super) fn let_happen(&self, then: Vec<Then>) {
        for event in then {
            match event {
                Then::Issue(number) => {
                    if let Some(after) = self.issue_after {
                        self.later(after, move |world| world.issue(number));
                    }
                }
                Then::Click { number, after } => {
                    self.later(after, move |world| {
                        world.click(number);
                    });
                }
                Then::Call(call) => {
                    let client = self.client.clone();
                    self.runtime.spawn(async move { call.send(&client).await });
                }
            }
        }
    }

    /// The person clicks the link of every mail about this mailbox that is not too old. Returns the
    /// number of orders that it helped.
    pub(super) fn click_mailbox(&self, mailbox: &str) -> usize {
        let waiting = self.books().awaiting_click(mailbox);
        waiting.into_iter().filter(|number| self.click(*number)).count()
    }

    /// Notes that a validation mail was sent, and by whom it will be clicked.
    pub(super) fn mail_sent(&self, books: &mut Books, number: usize) -> Option<Then> {
        books.awaits_click(number);
        let after = self.behaviour().clicks_by_themselves_after?;
        Some(Then::Click { number, after })
    }

    pub(super) fn vet(&self, number: usize) {
        let then = self.change(|books| {
            books.orders[number].vetted = true;
            self.save(books, number)
        });
        self.let_happen(then.unwrap_or_default());
    }

    pub(super) fn reject(&self, number: usize, status_text: &str) {
        self.change(|books| {
            if books.orders[number].state.is_open() {
                books.orders[number].state = OrderState::Rejected(status_text.to_owned());
                self.save(books, number);
            }
        });
    }

    pub(super) fn product(&self, code: u32) -> Option<&Product> {
        self.products.iter().find(|product| product.code == code)
    }

    fn click(&self, number: usize) -> bool {
        let then = self.change(|books| {
            let order = &mut books.orders[number];
            let validation = order.validation.as_mut()?;
            let age = self.now().duration_since(validation.last_mail).unsigned_abs();
            if validation.clicked || age > MAIL_LIVES {
                return None;
            }
            validation.clicked = true;
            books.clicked(number);
            Some(self.save(books, number))
        });
        let then = then.flatten();
        let clicked = then.is_some();
        self.let_happen(then.unwrap_or_default());
        clicked
    }

    fn later(&self, after: Duration, act: impl FnOnce(&Self) + Send + 'static) {
        let own = Weak::clone(&self.own);
        self.runtime.spawn(async move {
            #[expect(clippy::disallowed_methods, reason = "the wait is what is simulated")]
            tokio::time::sleep(after).await;
            if let Some(world) = own.upgrade() {
                act(&world);
            }
        });
    }

    fn resume(&self) {
        let behaviour = self.behaviour().clone();
        let happening = self.change(|books| {
            let mut happening = Vec::new();
            for order in &mut books.orders {
                let mut then = self.advance(order, self.now());
                then.extend(self.call_back(order, &behaviour).map(Then::Call));
                if !then.is_empty() {
                    self.write("order", &order.reference, order);
                }
                let unclicked = order.validation.as_ref().is_some_and(|mail| !mail.clicked);
                if let (true, true, Some(after)) =
                    (order.state.is_open(), unclicked, behaviour.clicks_by_themselves_after)
                {
                    then.push(Then::Click { number: order.number, after });
                }
                happening.extend(then);
            }
            happening
        });
        self.let_happen(happening.unwrap_or_default());
    }

    fn advance(&self, order: &mut Order, now: Timestamp) -> Vec<Then> {
        if !order.state.is_open() {
            return Vec::new();
        }
        let proven = self.mailbox_is_proven(order, now);
        order.state = if order.request.is_none() {
            OrderState::Unused
        } else if order.registrant.is_none() || !order.has_contacts {
            OrderState::WaitingForRegistrant
        } else if proven || order.validation.is_some() {
            OrderState::Validating
        } else {
            OrderState::WaitingForValidation
        };
        let mut then = Vec::new();
        if order.state == OrderState::Validating {
            let behaviour = self.behaviour().clone();
            if behaviour.callback == Callback::Early {
                then.extend(self.call_back(order, &behaviour).map(Then::Call));
            }
            if proven && self.identity_is_proven(order) {
                then.push(Then::Issue(order.number));
            }
        }
        then
    }

    fn mailbox_is_proven(&self, order: &Order, now: Timestamp) -> bool {
        let Some(request) = &order.request else { return false };
        order.validation.as_ref().is_some_and(|validation| validation.clicked)
            || (self.behaviour().epki_automatic
                && self.organisation_of(order).is_some_and(|organisation| {
                    organisation.epki_agreement && organisation.has_validated(request.domain(), now)
                }))
    }

    /// People are vouched for by their organisation's EPKI agreement, and an organisation that is
    /// named like the account's own has been verified. Everything else is for the CA's staff.
    fn identity_is_proven(&self, order: &Order) -> bool {
        let Some(product) = self.product(order.product) else { return false };
        let organisation = self.organisation_of(order);
        let vouched_for = organisation.is_some_and(|organisation| organisation.epki_agreement);
        let named = organisation.is_some_and(|organisation| {
            order.registrant.as_ref().and_then(|registrant| registrant.get("organization")) == Some(&organisation.name)
        });
        order.vetted
            || match product.certificate_type {
                CertificateType::MailboxValidated => true,
                CertificateType::OrganizationValidated => named,
                CertificateType::SponsorValidated => named && vouched_for,
                CertificateType::IndividualValidated => vouched_for,
            }
    }

    fn organisation_of(&self, order: &Order) -> Option<&Organisation> {
        let name = self.accounts.get(&order.account)?.organisation.as_ref()?;
        self.organisations.iter().find(|organisation| organisation.name == *name)
    }

    pub(super) fn ready(&self) -> Vec<String> {
        let now = self.now();
        let books = self.books();
        let validating = books.orders.iter().filter(|order| order.state == OrderState::Validating);
        let ready = validating.filter(|order| self.mailbox_is_proven(order, now) && self.identity_is_proven(order));
        ready.map(|order| order.reference.clone()).collect()
    }

    pub(super) fn issue(&self, number: usize) {
        let behaviour = self.behaviour().clone();
        let call = self.change(|books| {
            let order = &mut books.orders[number];
            // Planned twice, or rejected meanwhile.
            if order.state != OrderState::Validating {
                return None;
            }
            match self.sign(order, &behaviour) {
                Ok(certificate) => {
                    order.certificate = Some(certificate);
                    order.state = OrderState::Issued;
                }
                Err(refusal) => order.state = OrderState::Rejected(format!("rejected. {refusal}")),
            }
            let call = self.call_back(order, &behaviour);
            self.write("order", &order.reference, &order);
            call
        });
        self.let_happen(call.flatten().map(Then::Call).into_iter().collect());
    }

    fn sign(&self, order: &Order, behaviour: &Behaviour) -> Result<ca::Issued, ca::Refusal> {
        let product = self.product(order.product).ok_or(ca::Refusal::Name)?;
        let der = order.request.as_ref().ok_or(ca::Refusal::Name)?.der();
        let request = SigningRequest::from_der(der).map_err(|_| ca::Refusal::Name)?;
        let profile = Profile {
            certificate_type: product.certificate_type,
            generation: product.generation,
            usage: match behaviour.key_usage {
                KeyUsage::Dual => Usage::Dual,
                KeyUsage::AsRequested => request.usage.map_or(Usage::Dual, Usage::from),
                KeyUsage::Signing => Usage::Signing,
                KeyUsage::Encryption => Usage::Encryption,
            },
            days: order.period_days,
            organization: self.organisation_of(order).map(|organisation| ca::Organization {
                name: &organisation.name,
                identifier: &organisation.identifier,
                country: &organisation.country,
            }),
        };
        self.ca.issue(&request, &profile, self.now())
    }

    /// The call to the order's receiver, once: it is noted before it is made.
    fn call_back(&self, order: &mut Order, behaviour: &Behaviour) -> Option<Call> {
        let early = behaviour.callback == Callback::Early && order.state == OrderState::Validating;
        if order.called_back || behaviour.callback == Callback::None || !(early || order.state == OrderState::Issued) {
            return None;
        }
        let receiver = order.receiver.as_ref()?;
        order.called_back = true;
        let certificate = order.certificate.as_ref().map(|issued| bundle::pem("CERTIFICATE", &issued.der()));
        Some(Call::new(receiver, behaviour.callback, &order.reference, &order.status(behaviour), certificate))
    }

    fn write(&self, kind: &str, key: &str, value: &impl Serialize) {
        self.journal.append(kind, key, value).expect("a world without its journal cannot go on");
    }
}
