//! An API server inside of the test: it holds objects, does what it is asked as Kubernetes would, remembers in which
//! order, and can be told to fail. What the controller has no reason or no right to ask is a surprise: it fails the test.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{Request, Response};
use kube::{Client, client::Body};
use serde_json::{Map, Value, json};
use tower::BoxError;

use super::call::Call;

/// Resource, namespace and name.
pub(super) type Place = (String, String, String);

/// How a request fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    /// It is refused with this code.
    Refused(u16),
    /// It never arrives.
    NotSent,
    /// It is done, but its answer is lost.
    AnswerLost,
}

/// How the message ends that tells this conflict from others.
const ALREADY_EXISTS: &str = " already exists";

/// A code and a message.
type Refusal = (u16, String);
type Answer = Result<Value, Refusal>;
type Meanwhile = Box<dyn FnOnce() + Send>;

#[derive(Clone, Default)]
pub(super) struct ApiServer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<Place, Value>,
    calls: Vec<Call>,
    surprises: Vec<String>,
    /// By the beginning of what a call says.
    failures: Vec<(String, Failure)>,
    meanwhile: Vec<(String, Meanwhile)>,
    /// How many calls from now is the one that fails.
    doomed: Option<(usize, Failure)>,
    version: u64,
}

impl ApiServer {
    pub(super) fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request| {
            let server = server.clone();
            async move { server.serve(request).await }
        });
        Client::new(service, "default")
    }

    /// From now on, calls that begin like this fail, as in `apply services`.
    pub(super) fn fail(&self, calls: &str, failure: Failure) {
        self.state().failures.push((calls.to_owned(), failure));
    }

    /// One call fails: the next when `after` is 0.
    pub(super) fn fail_one(&self, after: usize, failure: Failure) {
        self.state().doomed = Some((after, failure));
    }

    /// Nothing fails any more. Says whether the one call that was to fail was ever made.
    pub(super) fn heal(&self) -> bool {
        let mut state = self.state();
        state.failures.clear();
        state.doomed.take().is_none()
    }

    /// Does something once, just before the first call that begins like this is answered.
    pub(super) fn meanwhile(&self, call: &str, act: impl FnOnce() + Send + 'static) {
        self.state().meanwhile.push((call.to_owned(), Box::new(act)));
    }

    /// Puts an object there, or in the place of the one that is there.
    pub(super) fn put(&self, resource: &str, object: Value) {
        let text = |field: &str| object["metadata"][field].as_str().expect("a name").to_owned();
        let place = (resource.to_owned(), text("namespace"), text("name"));
        self.state().store(place, object);
    }

    pub(super) fn remove(&self, resource: &str, name: &str) {
        let found = self.place(resource, name);
        self.state().objects.remove(&found).expect("it was there");
    }

    /// Changes an object as somebody else would.
    pub(super) fn change(&self, resource: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.object(resource, name).expect("it is there");
        change(&mut object);
        self.put(resource, object);
    }

    pub(super) fn object(&self, resource: &str, name: &str) -> Option<Value> {
        self.state().objects.get(&self.place(resource, name)).cloned()
    }

    pub(super) fn objects(&self) -> BTreeMap<Place, Value> {
        self.state().objects.clone()
    }

    /// What was asked since the last time that this was asked.
    pub(super) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }

    /// What nobody should have asked.
    pub(super) fn surprises(&self) -> Vec<String> {
        self.state().surprises.clone()
    }

    fn place(&self, resource: &str, name: &str) -> Place {
        (resource.to_owned(), super::world::NAMESPACE.to_owned(), name.to_owned())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await?;
        let Some(call) = Call::of(&parts, &body) else {
            self.state().surprises.push(format!("{} {}", parts.method, parts.uri));
            return Ok(response(Err((400, "nobody expected this".to_owned()))));
        };
        let meanwhile = self.state().meanwhile(&call);
        meanwhile.into_iter().for_each(|act| act());
        let mut state = self.state();
        state.calls.push(call.clone());
        match state.failure(&call) {
            Some(Failure::NotSent) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            Some(Failure::AnswerLost) => {
                let _ = state.answer(&call);
                Err(io::Error::from(io::ErrorKind::ConnectionReset).into())
            }
            Some(Failure::Refused(403)) => Ok(response(Err((403, call.forbidden())))),
            Some(Failure::Refused(code)) => Ok(response(Err((code, format!("told to say {code}"))))),
            None => Ok(response(state.answer(&call))),
        }
    }
}

impl State {
    fn meanwhile(&mut self, call: &Call) -> Vec<Meanwhile> {
        let text = call.to_string();
        let due = self.meanwhile.extract_if(.., |(beginning, _)| text.starts_with(beginning.as_str()));
        due.map(|(_, act)| act).collect()
    }

    fn failure(&mut self, call: &Call) -> Option<Failure> {
        if let Some((after, failure)) = self.doomed.take() {
            if after == 0 {
                return Some(failure);
            }
            self.doomed = Some((after - 1, failure));
        }
        let text = call.to_string();
        let known = self.failures.iter().find(|(beginning, _)| text.starts_with(beginning.as_str()));
        known.map(|(_, failure)| *failure)
    }

    fn answer(&mut self, call: &Call) -> Answer {
        if let Some(verb) = call.missing_right() {
            self.surprises.push(format!("{call}: {verb} is not among the controller's rights"));
            return Err((403, call.forbidden()));
        }
        let place = (call.resource.clone(), call.namespace.clone(), call.name.clone());
        match (call.verb, call.resource.as_str(), call.subresource.as_deref()) {
            ("get", _, None) => self.get(&place, call.metadata_alone),
            ("list", _, None) if call.metadata_alone => Ok(self.list(call)),
            ("create", "events", None) => Ok(self.store(place, call.body.clone())),
            ("try", _, None) if self.objects.contains_key(&place) => Err((409, already_exists(&place))),
            ("try", _, None) => Ok(call.body.clone()),
            ("apply", "pricepipelines", Some("status")) => self.apply_status(place, &call.body),
            ("apply", _, None) => Ok(self.apply(place, &call.body)),
            ("merge", "pricepipelines", Some("scale")) => self.scale(place, &call.body),
            ("merge", "pricepipelines" | "events", None) => self.merge(place, &call.body),
            ("delete", _, None) => self.delete(place, &call.body),
            _ => {
                self.surprises.push(call.to_string());
                Err((405, "the server does not allow this method on the requested resource".to_owned()))
            }
        }
    }

    fn get(&self, place: &Place, metadata_alone: bool) -> Answer {
        let found = self.objects.get(place).ok_or_else(|| not_found(place))?;
        if !metadata_alone {
            return Ok(found.clone());
        }
        Ok(json!({
            "apiVersion": "meta.k8s.io/v1",
            "kind": "PartialObjectMetadata",
            "metadata": found["metadata"],
        }))
    }

    /// The metadata of what has these labels.
    fn list(&self, call: &Call) -> Value {
        let is_meant = |(place, object): &(&Place, &Value)| {
            let labels = &object["metadata"]["labels"];
            let has_labels = call.selector.iter().all(|(label, value)| labels[label] == **value);
            (&place.0, &place.1) == (&call.resource, &call.namespace) && has_labels
        };
        let found = self.objects.iter().filter(is_meant);
        let items: Vec<Value> = found.map(|(_, object)| json!({"metadata": object["metadata"]})).collect();
        let (version, kind) = ("meta.k8s.io/v1", "PartialObjectMetadataList");
        json!({"apiVersion": version, "kind": kind, "metadata": {}, "items": items})
    }

    /// One field manager alone, so that what it leaves out is removed.
    fn apply(&mut self, place: Place, body: &Value) -> Value {
        let mut next = as_kubernetes_writes(body);
        match self.objects.get(&place) {
            None => {
                let uid = format!("{} {}", place.0, self.version);
                next["metadata"]["uid"] = json!(uid);
                next["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
            }
            Some(before) => {
                for field in ["uid", "creationTimestamp", "deletionTimestamp", "finalizers"] {
                    if let Some(value) = before["metadata"].get(field) {
                        next["metadata"][field] = value.clone();
                    }
                }
                if let Some(status) = before.get("status") {
                    next["status"] = status.clone();
                }
            }
        }
        self.store(place, next)
    }

    fn apply_status(&mut self, place: Place, body: &Value) -> Answer {
        let mut next = self.get(&place, false)?;
        if body["metadata"].get("uid").is_some_and(|uid| *uid != next["metadata"]["uid"]) {
            return Err((409, "Precondition failed: UID in precondition is another".to_owned()));
        }
        next["status"] = body["status"].clone();
        Ok(self.store(place, next))
    }

    fn merge(&mut self, place: Place, body: &Value) -> Answer {
        let mut next = self.get(&place, false)?;
        let version = body["metadata"].get("resourceVersion");
        if version.is_some_and(|version| *version != next["metadata"]["resourceVersion"]) {
            return Err((409, "the object has been modified; please apply your changes to it".to_owned()));
        }
        merge(&mut next, body);
        let metadata = &next["metadata"];
        let held = metadata["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
        if metadata.get("deletionTimestamp").is_some() && !held {
            self.objects.remove(&place);
            return Ok(next);
        }
        Ok(self.store(place, next))
    }

    fn scale(&mut self, place: Place, body: &Value) -> Answer {
        let mut next = self.get(&place, false)?;
        next["spec"]["consumer"]["replicas"] = body["spec"]["replicas"].clone();
        let metadata = json!({"name": place.2, "namespace": place.1});
        let spec = &body["spec"];
        self.store(place, next);
        Ok(json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": spec}))
    }

    /// In the foreground: the object stays until what it owns is gone, which nobody here sees to.
    fn delete(&mut self, place: Place, options: &Value) -> Answer {
        let mut next = self.get(&place, false)?;
        if options["propagationPolicy"] != "Foreground" {
            self.surprises.push(format!("{place:?} is not deleted in the foreground: {options}"));
        }
        next["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        next["metadata"]["finalizers"] = json!(["foregroundDeletion"]);
        Ok(self.store(place, next))
    }

    fn store(&mut self, place: Place, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(place, object.clone());
        object
    }
}

fn already_exists(place: &Place) -> String {
    format!("{} {:?}{ALREADY_EXISTS}", place.0, place.2)
}

fn not_found(place: &Place) -> Refusal {
    (404, format!("{} {:?} not found", place.0, place.2))
}

/// Adds what Kubernetes adds and writes amounts as it does.
fn as_kubernetes_writes(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["managedFields"] = json!([{"manager": "pricepipe-controller", "operation": "Apply"}]);
    if let Some(Value::Object(pod)) = object.pointer_mut("/spec/template/spec") {
        pod.insert("schedulerName".to_owned(), json!("default-scheduler"));
        for container in pod.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
            container["terminationMessagePath"] = json!("/dev/termination-log");
            if let Some(cpu) = container.pointer_mut("/resources/limits/cpu").filter(|cpu| **cpu == "1000m") {
                *cpu = json!("1");
            }
        }
    }
    object
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (field, value) in patch {
        if value.is_null() {
            target.as_object_mut().and_then(|target| target.remove(field));
        } else {
            merge(&mut target[field], value);
        }
    }
}

fn response(answer: Answer) -> Response<Body> {
    let (code, body) = match answer {
        Ok(body) => (200, body),
        Err((code, message)) => (code, failure(code, &message)),
    };
    let body = Body::from(body.to_string().into_bytes());
    Response::builder().status(code).body(body).expect("a response")
}

fn failure(code: u16, message: &str) -> Value {
    let reason = match code {
        409 if message.ends_with(ALREADY_EXISTS) => "AlreadyExists",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        422 => "Invalid",
        500 => "InternalError",
        _ => "Unknown",
    };
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    })
}
