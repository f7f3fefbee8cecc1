//! One of several controllers leads: the one that holds a Lease.
//!
//! # Guarantees
//! - A lease is taken and renewed by a write that names the version it was read at, so two never take it at once.
//! - Nobody's clock is compared with another's: a lease has run out when it did not change for its duration while
//!   we watched.
//! - A leader that could not renew for [`RENEW_WITHIN`] is none any more, well before others may take over.
//!
//! # Caveats
//! A lease does not fence: a write that was sent before the loss may still arrive after it. Every write of the
//! controller is idempotent and names what it is about, so such a one does no harm.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use prometheus::IntGauge;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The name of the Lease.
pub(crate) const NAME: &str = "pricepipe-controller";
/// How long a lease lasts when it is not renewed.
const DURATION: Duration = Duration::from_secs(15);
/// How often the leader renews it.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// A leader that could not renew for so long stops.
const RENEW_WITHIN: Duration = Duration::from_secs(10);
/// How often others look whether it has run out, and how soon a failed renewal is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// The longest that a request may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether this process leads at the moment.
pub(crate) struct Leadership {
    until: Mutex<Option<Instant>>,
    gauge: IntGauge,
}

impl Leadership {
    pub(crate) fn new(gauge: IntGauge) -> Self {
        Leadership { until: Mutex::new(None), gauge }
    }

    /// Whether a write is allowed now.
    pub(crate) fn holds(&self) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    pub(crate) fn set(&self, until: Option<Instant>) {
        self.gauge.set(i64::from(until.is_some()));
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// The lease could not be renewed in time, or somebody else holds it.
#[derive(Debug, thiserror::Error)]
#[error("the lease is lost: {0}")]
pub(crate) struct Lost(String);

/// A candidate for leadership.
pub(crate) struct Candidate {
    leases: Api<Lease>,
    identity: String,
}

impl Candidate {
    pub(crate) fn new(client: Client, namespace: &str, identity: &str) -> Self {
        Candidate { leases: Api::namespaced(client, namespace), identity: identity.to_owned() }
    }

    /// Waits until the lease is ours. `None` when `stop` came first.
    pub(crate) async fn acquire(&self, leadership: &Leadership, stop: &CancellationToken) -> Option<Lease> {
        let mut watched = Watched::default();
        let mut failing = false;
        loop {
            let asked = Instant::now();
            match within(self.try_acquire(&mut watched)).await {
                Ok(Some(lease)) => {
                    tracing::info!(identity = self.identity, "this controller leads");
                    leadership.set(Some(asked + RENEW_WITHIN));
                    return Some(lease);
                }
                Ok(None) => failing = false,
                Err(error) if failing => tracing::debug!(error, "the lease cannot be read or taken"),
                Err(error) => {
                    failing = true;
                    tracing::warn!(error, "the lease cannot be read or taken; trying on");
                }
            }
            tokio::select! {
                () = sleep(RETRY_EVERY.mul_f64(0.75 + fastrand::f64() / 4.0)) => {}
                () = stop.cancelled() => return None,
            }
        }
    }

    async fn try_acquire(&self, watched: &mut Watched) -> kube::Result<Option<Lease>> {
        let Some(found) = self.leases.get_opt(NAME).await? else {
            let made = self.leases.create(&PostParams::default(), &self.claim(None)).await;
            return taken(made);
        };
        if watched.is_free(&found, &self.identity, Instant::now()) {
            taken(self.leases.replace(NAME, &PostParams::default(), &self.claim(Some(&found))).await)
        } else {
            Ok(None)
        }
    }

    /// Renews the lease until `stop`, and gives its last form.
    ///
    /// # Errors
    /// It was lost: the process must stop at once.
    pub(crate) async fn keep(
        &self,
        mut lease: Lease,
        leadership: &Leadership,
        stop: &CancellationToken,
    ) -> Result<Lease, Lost> {
        let mut renewed = Instant::now();
        let mut pause = RENEW_EVERY;
        loop {
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => return Ok(lease),
            }
            let asked = Instant::now();
            match within(self.renew(&lease)).await {
                Ok(Some(next)) => {
                    (lease, renewed, pause) = (next, asked, RENEW_EVERY);
                    leadership.set(Some(asked + RENEW_WITHIN));
                }
                Ok(None) => {
                    leadership.set(None);
                    return Err(Lost("another controller holds it".to_owned()));
                }
                Err(error) if renewed.elapsed() >= RENEW_WITHIN => {
                    leadership.set(None);
                    return Err(Lost(error));
                }
                Err(error) => {
                    tracing::warn!(error, "the lease could not be renewed; trying on");
                    pause = RETRY_EVERY;
                }
            }
        }
    }

    /// `None` when it is not ours any more. A conflict alone does not say so: our own write may have arrived though
    /// its answer was lost.
    async fn renew(&self, lease: &Lease) -> kube::Result<Option<Lease>> {
        match self.leases.replace(NAME, &PostParams::default(), &self.claim(Some(lease))).await {
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {
                let found = self.leases.get_opt(NAME).await?;
                Ok(found.filter(|found| holder(found) == self.identity))
            }
            result => result.map(Some),
        }
    }

    /// Lets go of the lease, so that another controller takes over at once.
    pub(crate) async fn release(&self, mut lease: Lease, leadership: &Leadership) {
        leadership.set(None);
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = None;
        }
        match within(self.leases.replace(NAME, &PostParams::default(), &lease)).await {
            Ok(_) => tracing::info!("the lease is released"),
            Err(error) => tracing::info!(error, "the lease is not released; it runs out by itself"),
        }
    }

    /// The lease as ours, renewed now.
    fn claim(&self, before: Option<&Lease>) -> Lease {
        let now = MicroTime(Timestamp::now());
        let old = before.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let ours = old.holder_identity.as_deref() == Some(self.identity.as_str());
        let transitions = old.lease_transitions.unwrap_or(0);
        let spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(DURATION.as_secs()).unwrap_or(i32::MAX)),
            renew_time: Some(now.clone()),
            acquire_time: old.acquire_time.filter(|_| ours).or(Some(now)),
            lease_transitions: Some(if ours || before.is_none() { transitions } else { transitions + 1 }),
            ..LeaseSpec::default()
        };
        let version = before.and_then(|lease| lease.metadata.resource_version.clone());
        let metadata =
            ObjectMeta { name: Some(NAME.to_owned()), resource_version: version, ..ObjectMeta::default() };
        Lease { metadata, spec: Some(spec) }
    }
}

/// What was seen of somebody's lease, by our own clock.
#[derive(Default)]
struct Watched {
    version: String,
    since: Option<Instant>,
}

impl Watched {
    /// Whether we may take a lease that was read at `now`.
    fn is_free(&mut self, lease: &Lease, identity: &str, now: Instant) -> bool {
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        if self.since.is_none() || version != self.version {
            (self.version, self.since) = (version, Some(now));
        }
        let duration = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
        let duration = Duration::from_secs(u64::try_from(duration).unwrap_or(0));
        let unchanged = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let holder = holder(lease);
        holder.is_empty() || holder == identity || unchanged >= duration
    }
}

fn holder(lease: &Lease) -> &str {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
}

/// Somebody else was quicker: no error.
fn taken(result: kube::Result<Lease>) -> kube::Result<Option<Lease>> {
    match result {
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(None),
        result => result.map(Some),
    }
}

async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match timeout(PATIENCE, request).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: Option<&str>, version: &str) -> Lease {
        let metadata = ObjectMeta { resource_version: Some(version.to_owned()), ..ObjectMeta::default() };
        let spec = LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        };
        Lease { metadata, spec: Some(spec) }
    }

    #[test]
    fn a_lease_is_free_when_it_did_not_change_for_its_duration_while_we_watched() {
        let (mut watched, start) = (Watched::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(
            !watched.is_free(&lease(Some("other"), "1"), "me", start),
            "it may have been renewed just now"
        );
        assert!(!watched.is_free(&lease(Some("other"), "1"), "me", after(14)));
        assert!(!watched.is_free(&lease(Some("other"), "2"), "me", after(16)), "it was renewed meanwhile");
        assert!(watched.is_free(&lease(Some("other"), "2"), "me", after(31)));
    }

    #[test]
    fn a_lease_that_was_released_or_is_our_own_is_free_at_once() {
        assert!(Watched::default().is_free(&lease(None, "1"), "me", Instant::now()));
        assert!(Watched::default().is_free(&lease(Some("me"), "1"), "me", Instant::now()));
    }

    #[test]
    fn a_leader_that_does_not_renew_stops_before_another_may_take_over() {
        assert!(RENEW_WITHIN + PATIENCE < DURATION);
        let leadership = Leadership::new(IntGauge::new("controller_leader", "of a test").unwrap());
        assert!(!leadership.holds());
        leadership.set(Some(Instant::now() + Duration::from_secs(1)));
        assert!(leadership.holds());
        leadership.set(Some(Instant::now()));
        assert!(!leadership.holds());
    }
}
