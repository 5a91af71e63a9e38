//! Microsoft Graph: the directory's people (v1.0) and Intune's records (beta, the only version that has them).
//!
//! Every call takes the access token and a `client-request-id`, which is what Microsoft's support can find a request by.

mod connectors;
mod delta;
mod paging;
mod people;
mod permissions;
mod record_id;
mod refusal;
mod user_pfx_certificates;

use std::fmt;

use reqwest::{Client, Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;
use uuid::Uuid;

use self::refusal::Effect;
pub use self::{
    connectors::{Connector, ConnectorState, ImportedPfxProfile, ProfilePlatform},
    delta::{DeltaPage, DeltaPosition, Removed},
    paging::{DeltaLink, NextLink, SkippedRow, Start},
    people::{AssignedPlan, DirectoryUser, INTUNE_A, PeoplePage},
    permissions::{Permission, granted_without_need},
    record_id::{NotARecordId, RecordId},
    user_pfx_certificates::{IntendedPurpose, PaddingScheme, PfxPage, UserPfxCertificate, UserPfxRecord},
};
use crate::{
    Endpoints, Entra, Error, RequestIds,
    cloud::under,
    watch::{Watch, Watched},
    wire,
};

/// A page of 999 people with all their plans stays below half of this.
const LONGEST_PAGE: usize = 64 * 1024 * 1024;

/// One object, or an error.
const LONGEST_OBJECT: usize = 1024 * 1024;

/// Speaks to one cloud's Graph for any tenant there. Clones share connections.
#[derive(Clone)]
pub struct Graph {
    base: Url,
    http: Client,
    watched: Watched,
}

/// What every request has.
#[derive(Clone, Copy)]
struct Call<'a> {
    name: &'static str,
    access: &'a SecretString,
    client_request_id: Uuid,
}

/// The body of a success, and the ids of its request.
struct Answered {
    body: Vec<u8>,
    request_ids: RequestIds,
}

impl Graph {
    /// # Errors
    /// [`Error::Client`] when the machine offers no usable TLS.
    pub fn new(endpoints: Endpoints) -> Result<Self, Error> {
        let http = wire::client(endpoints.graph())?;
        Ok(Self { http, base: endpoints.graph().clone(), watched: Watched::default() })
    }

    /// A client that shares its connections with Entra's, if both are reached in the same way. To make one from nothing reads
    /// every root certificate of the machine, which is an eighth of a function's cold start.
    ///
    /// # Errors
    /// As [`Graph::new`].
    pub fn beside(entra: &Entra, endpoints: Endpoints) -> Result<Self, Error> {
        let Some(http) = entra.http_for(endpoints.graph()) else { return Self::new(endpoints) };
        Ok(Self { http, base: endpoints.graph().clone(), watched: Watched::default() })
    }

    /// The same client for another cloud that is reached in the same way.
    #[must_use]
    pub fn at(&self, endpoints: &Endpoints) -> Self {
        Self { base: endpoints.graph().clone(), ..self.clone() }
    }

    /// A client whose requests this is told of.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self { watched: Watched(Some(watch)), ..self }
    }

    /// Under v1.0.
    fn directory<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        under(&under(&self.base, ["v1.0"]), segments)
    }

    /// Under beta.
    fn device_management<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        under(&under(&self.base, ["beta", "deviceManagement"]), segments)
    }

    async fn read(&self, call: Call<'_>, url: Url, limit: usize) -> Result<Answered, Error> {
        self.read_with(call, self.http.get(url), limit).await
    }

    async fn read_with(&self, call: Call<'_>, request: RequestBuilder, limit: usize) -> Result<Answered, Error> {
        let (answer, request_ids) = self.send(call, Effect::Read, request, limit).await?;
        let body = answer.into_body(call.name, Some(request_ids.clone()))?;
        Ok(Answered { body, request_ids })
    }

    /// The status alone tells that it was done; an answer whose body is lost is still a success.
    async fn write(
        &self,
        call: Call<'_>,
        method: Method,
        url: Url,
        body: &impl Serialize,
    ) -> Result<RequestIds, Error> {
        let request = self.http.request(method, url).json(body);
        Ok(self.send(call, Effect::Write, request, LONGEST_OBJECT).await?.1)
    }

    async fn delete(&self, call: Call<'_>, url: Url) -> Result<RequestIds, Error> {
        Ok(self.send(call, Effect::Write, self.http.delete(url), LONGEST_OBJECT).await?.1)
    }

    async fn send(
        &self,
        call: Call<'_>,
        effect: Effect,
        request: RequestBuilder,
        limit: usize,
    ) -> Result<(wire::Answer, RequestIds), Error> {
        let Call { name, access, client_request_id } = call;
        let unanswered = |source| {
            let request_ids = RequestIds { client_request_id, request_id: None };
            Error::unanswered(name, Some(request_ids), source)
        };
        let request = request
            .bearer_auth(access.expose_secret())
            .header("client-request-id", client_request_id.to_string())
            .header("accept", "application/json")
            .build()
            .map_err(unanswered)?;
        let answer = wire::exchange(&self.http, &self.watched, request, limit).await.map_err(unanswered)?;
        let request_ids = refusal::request_ids(&answer.headers, client_request_id, access.expose_secret());
        if answer.status.is_success() {
            Ok((answer, request_ids))
        } else {
            Err(refusal::error(name, effect, &answer, request_ids, access.expose_secret()))
        }
    }
}

impl Answered {
    fn json<T: DeserializeOwned>(&self, request: &'static str) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|_| Error::Unreadable { request, reason: "it is not the documented JSON" })
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}
