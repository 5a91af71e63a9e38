//! One method for each call. Every request is sent once, to one host, with a bound on time and size.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, RequestBuilder, redirect};
use serde_json::{Value, json};

use crate::{
    Contacts, Credentials, CsrSubmission, Endpoint, Error, ListQuery, Listing, NewOrder, Order, OrderRef, Registrant,
    StateField, StatusTable,
    answer::Answer,
    body::Body,
    redaction::Redaction,
    request,
    watch::{Watch, Watched},
};

/// Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>, Watched);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    endpoint: Endpoint,
    statuses: StatusTable,
}

impl Client {
    /// # Errors
    /// [`Error::Configuration`] for an endpoint that must not be used, or a machine without usable TLS.
    pub fn new(endpoint: Endpoint, statuses: StatusTable) -> Result<Self, Error> {
        let endpoint = endpoint.accepted()?;
        let mut builder = reqwest::Client::builder()
            .user_agent("intune-smime")
            .connect_timeout(endpoint.connect_timeout)
            // A redirect would take the credentials to wherever the answer says.
            .redirect(redirect::Policy::none())
            .referer(false)
            // Not even where HTTP calls it safe: whether a purchase is made again is not the transport's decision.
            .retry(reqwest::retry::never())
            .https_only(endpoint.base_url.scheme() == "https");
        if endpoint.is_loopback() {
            // Plain http through a proxy would leave this machine.
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|_no_tls| Error::configuration("TLS", "this machine offers none that is usable"))?;
        Ok(Self(Arc::new(Inner { http, endpoint, statuses }), Watched::default()))
    }

    /// How long the answer to anything but a purchase is waited for.
    pub fn answer_timeout(&self) -> Duration {
        self.0.endpoint.answer_timeout
    }

    /// A client whose requests this is told of.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self(self.0, Watched(Some(watch)))
    }

    /// [`Endpoint::first_page`].
    pub fn first_page(&self) -> u32 {
        self.0.endpoint.first_page
    }

    /// SSL.com's documents spell the registrant's state in two ways. For a refusal that names the spelling which is not
    /// the configured one: that spelling. What was refused was not taken, so the same may be sent with it.
    pub fn state_field_asked(&self, refusal: &Error) -> Option<StateField> {
        let other = self.0.endpoint.state_field.other();
        let Error::Refused { problems, .. } = refusal else { return None };
        let names = |field: &str| field.rsplit('.').next() == Some(other.name());
        problems.iter().any(|problem| names(&problem.field)).then_some(other)
    }

    /// Buys: SSL.com takes the price from the prepaid balance (SSL.com Apiary). It knows no idempotency key, so the caller
    /// writes down what is about to be bought, calls this once, and looks the order up when the answer is not clear.
    ///
    /// An answer with a ref is an order, whatever its HTTP status and even with `errors`, which are in
    /// [`Order::problems`] then.
    ///
    /// # Errors
    /// After [`Error::NotSent`], [`Error::Refused`] and [`Error::Configuration`] nothing was bought. After
    /// [`Error::Unclear`] and [`Error::Throttled`] only a look-up can tell.
    pub async fn create(&self, credentials: &Credentials, order: &NewOrder) -> Result<Order, Error> {
        let what = "the purchase of an order";
        let redaction = Redaction::of(credentials);
        let redaction = match &order.callback {
            Some(callback) => redaction.and(callback),
            None => redaction,
        };
        let body = order.body()?.signed(credentials);
        let timeout = self.0.endpoint.create_timeout;
        let answer = self.send(what, self.json(Method::POST, &["certificates"], &body, timeout)).await?;
        answer.into_created(&redaction, &self.0.statuses)
    }

    /// Submits the CSR, the registrant and the contacts of a paid order.
    ///
    /// Only for an order that waits for its CSR: on an issued order the same request makes a new certificate.
    ///
    /// # Errors
    /// [`Error::Configuration`] for a CSR with CRLF line ends. A refusal with
    /// [`CsrAlreadySubmitted`](crate::RefusalCause::CsrAlreadySubmitted) after an unclear answer means that it had arrived.
    pub async fn submit_csr(
        &self,
        credentials: &Credentials,
        order_ref: &OrderRef,
        submission: &CsrSubmission,
    ) -> Result<Order, Error> {
        let body = submission.body(self.0.endpoint.state_field)?;
        self.update("the submission of a CSR", credentials, order_ref, body).await
    }

    /// For an order whose CSR was accepted and whose registrant was not complete.
    ///
    /// # Errors
    /// As for any write; see [`Error`].
    pub async fn submit_registrant(
        &self,
        credentials: &Credentials,
        order_ref: &OrderRef,
        registrant: &Registrant,
        contacts: &Contacts,
    ) -> Result<Order, Error> {
        let body = registrant.add_to(Body::new(), self.0.endpoint.state_field).with("contacts", contacts.to_json());
        self.update("the submission of a registrant", credentials, order_ref, body).await
    }

    /// Has SSL.com mail a code to the mailbox. The code lives at most 24 hours (S/MIME Baseline Requirements, 3.2.2.2).
    ///
    /// # Errors
    /// As for any write; see [`Error`].
    pub async fn request_mailbox_validation(
        &self,
        credentials: &Credentials,
        order_ref: &OrderRef,
        mailbox: &str,
    ) -> Result<Order, Error> {
        if mailbox.trim().is_empty() {
            return Err(Error::configuration("mailbox", "it is empty"));
        }
        let domains = json!({ self.0.endpoint.validation_item(mailbox): { "dcv": mailbox } });
        self.update(
            "the request for a mailbox validation",
            credentials,
            order_ref,
            Body::new().with("domains", domains),
        )
        .await
    }

    /// Runs the validation again, which sends the mail again.
    ///
    /// # Errors
    /// As for any write; see [`Error`].
    pub async fn retry_validation(&self, credentials: &Credentials, order_ref: &OrderRef) -> Result<(), Error> {
        let what = "the repetition of a validation";
        let path = ["certificate", order_ref.as_str(), "retry_domain_validation"];
        let body = Body::new().signed(credentials);
        let answer = self.send(what, self.json(Method::POST, &path, &body, self.0.endpoint.answer_timeout)).await?;
        answer.into_accepted(&Redaction::of(credentials)).map(drop)
    }

    /// The order as it stands, with its certificates once there are any.
    ///
    /// # Errors
    /// Nothing is changed by asking, so every error but a refusal can be met by asking again later.
    pub async fn retrieve(&self, credentials: &Credentials, order_ref: &OrderRef) -> Result<Order, Error> {
        let format = [("response_type", "individually"), ("response_encoding", "base64")];
        let request = self.get(&["certificate", order_ref.as_str()], credentials).query(&format);
        let answer = self.send("the question about an order", request).await?;
        answer.into_order(order_ref, &Redaction::of(credentials), &self.0.statuses)
    }

    /// One page of the account's orders. What a page past the last holds is not documented: expect an empty one, or one
    /// that repeats.
    ///
    /// # Errors
    /// Nothing is changed by asking, so every error but a refusal can be met by asking again later.
    pub async fn list(&self, credentials: &Credentials, query: &ListQuery) -> Result<Listing, Error> {
        let request = self.get(&["certificates"], credentials).query(&query.pairs(&self.0.endpoint));
        let answer = self.send("the question about the orders", request).await?;
        answer.into_listing(&Redaction::of(credentials), &self.0.statuses)
    }

    /// Revokes the named certificates of an order. Which reasons SSL.com knows is not documented.
    ///
    /// # Errors
    /// [`Error::Configuration`] without serial numbers, which may mean every certificate of the order.
    pub async fn revoke(
        &self,
        credentials: &Credentials,
        order_ref: &OrderRef,
        reason: &str,
        serials: &[String],
    ) -> Result<(), Error> {
        if serials.is_empty() || serials.iter().any(|serial| serial.trim().is_empty()) {
            return Err(Error::configuration("serials", "each certificate to revoke must be named"));
        }
        let body = Body::new().with("reason", reason).with("serials", serials.to_vec()).signed(credentials);
        let path = ["certificate", order_ref.as_str()];
        let request = self.json(Method::DELETE, &path, &body, self.0.endpoint.answer_timeout);
        let answer = self.send("the revocation of a certificate", request).await?;
        answer.into_accepted(&Redaction::of(credentials)).map(drop)
    }

    async fn update(
        &self,
        what: &'static str,
        credentials: &Credentials,
        order_ref: &OrderRef,
        body: Body,
    ) -> Result<Order, Error> {
        let path = ["certificate", order_ref.as_str()];
        let body = body.signed(credentials);
        let answer = self.send(what, self.json(Method::PUT, &path, &body, self.0.endpoint.answer_timeout)).await?;
        answer.into_changed(order_ref, &Redaction::of(credentials), &self.0.statuses)
    }

    fn json(&self, method: Method, path: &[&str], body: &Value, timeout: Duration) -> RequestBuilder {
        let url = self.0.endpoint.under(path.iter().copied());
        self.0.http.request(method, url).timeout(timeout).json(body)
    }

    fn get(&self, path: &[&str], credentials: &Credentials) -> RequestBuilder {
        let Inner { http, endpoint, .. } = &*self.0;
        http.get(endpoint.under(path.iter().copied()))
            .timeout(endpoint.answer_timeout)
            .query(&request::query(credentials))
    }

    async fn send(&self, what: &'static str, request: RequestBuilder) -> Result<Answer, Error> {
        let request = request.header(reqwest::header::ACCEPT, "application/json");
        let response = self.1.over(request.send()).await.map_err(|source| Error::unanswered(what, source))?;
        Answer::receive(what, response, self.0.endpoint.max_answer_bytes).await
    }
}
