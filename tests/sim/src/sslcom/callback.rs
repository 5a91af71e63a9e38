//! Tells the receiver that an order names that the certificate is there. SSL.com documents no
//! signature and no retry, so there is none: what the receiver answers changes nothing.

use std::{collections::BTreeMap, time::Duration};

use super::{behaviour::Callback, order::Receiver};

/// A call that has been decided on: its fields are fixed, whatever happens to the order meanwhile.
pub(super) struct Call {
    receiver: Receiver,
    fields: BTreeMap<String, String>,
    as_form: bool,
    by_get: bool,
    pub(super) times: u32,
}

impl Call {
    /// `certificate` is PEM, or nothing when the call comes before the certificate.
    pub(super) fn new(
        receiver: &Receiver,
        manner: Callback,
        reference: &str,
        status: &str,
        certificate: Option<String>,
    ) -> Self {
        let mut fields = receiver.parameters.clone();
        // The parameter's value looks like the name under which the certificate is sent.
        let hook = fields.remove("certificate_hook");
        if let (Some(name), Some(certificate)) = (hook, certificate) {
            fields.insert(name, certificate);
        }
        fields.insert("ref".to_owned(), reference.to_owned());
        fields.insert("order_status".to_owned(), status.to_owned());
        Self {
            by_get: receiver.by_get || manner == Callback::Get,
            as_form: manner == Callback::Form,
            times: if manner == Callback::Twice { 2 } else { 1 },
            receiver: receiver.clone(),
            fields,
        }
    }

    pub(super) async fn send(&self, client: &reqwest::Client) {
        for _ in 0..self.times {
            let url = &self.receiver.url;
            let request = if self.by_get {
                client.get(url).query(&self.fields)
            } else if self.as_form {
                client.post(url).form(&self.fields)
            } else {
                client.post(url).json(&self.fields)
            };
            let request = match &self.receiver.basic {
                Some((username, password)) => request.basic_auth(username, Some(password)),
                None => request,
            };
            let _ = request.send().await;
        }
    }
}

/// A client that neither follows redirects nor waits long.
///
/// # Errors
/// When the machine has no usable TLS roots.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}
