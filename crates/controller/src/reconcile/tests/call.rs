//! A request to the API server, as its authors would say it: a verb, a resource and a name. Pure.

use std::fmt;

use http::{Method, header, request::Parts};
use serde_json::Value;

use crate::{labels, rbac};

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// `get`, `list`, `watch`, `try`, `create`, `apply`, `merge` or `delete`. To try is to ask what would come of a create.
    pub(super) verb: &'static str,
    pub(super) group: String,
    /// Without its subresource.
    pub(super) resource: String,
    pub(super) subresource: Option<String>,
    pub(super) namespace: String,
    /// Empty when it is about all of a kind.
    pub(super) name: String,
    pub(super) body: Value,
    /// Labels that a list is narrowed to.
    pub(super) selector: Vec<(String, String)>,
    /// Only the metadata is wanted.
    pub(super) metadata_alone: bool,
}

impl Call {
    /// `None` when the controller has no reason to ask so.
    pub(super) fn of(parts: &Parts, body: &[u8]) -> Option<Call> {
        let segments: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
        let (group, rest) = match segments.as_slice() {
            ["api", _version, rest @ ..] => ("", rest),
            ["apis", group, _version, rest @ ..] => (*group, rest),
            _ => return None,
        };
        let (namespace, resource, name, subresource) = match rest {
            ["namespaces", namespace, resource] => (*namespace, *resource, "", None),
            ["namespaces", namespace, resource, name] => (*namespace, *resource, *name, None),
            ["namespaces", namespace, resource, name, sub] => (*namespace, *resource, *name, Some(*sub)),
            _ => return None,
        };
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let query = parts.uri.query().unwrap_or_default();
        let verb = match (&parts.method, header(header::CONTENT_TYPE)) {
            (&Method::GET, _) if !name.is_empty() => "get",
            (&Method::GET, _) if query.contains("watch=true") => "watch",
            (&Method::GET, _) => "list",
            (&Method::POST, _) if name.is_empty() && query.contains("dryRun=All") => "try",
            (&Method::POST, _) if name.is_empty() => "create",
            (&Method::PATCH, "application/apply-patch+yaml") if is_forced_and_ours(query) => "apply",
            (&Method::PATCH, "application/merge-patch+json") => "merge",
            (&Method::DELETE, _) if !name.is_empty() => "delete",
            _ => return None,
        };
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(body).ok()? };
        let made = body["metadata"]["name"].as_str().unwrap_or_default();
        Some(Call {
            verb,
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.map(str::to_owned),
            namespace: namespace.to_owned(),
            name: if name.is_empty() { made.to_owned() } else { name.to_owned() },
            body,
            selector: selector(query),
            metadata_alone: header(header::ACCEPT).contains("as=PartialObjectMetadata"),
        })
    }

    pub(super) fn writes(&self) -> bool {
        !["get", "list", "watch", "try"].contains(&self.verb)
    }

    /// The resource as rights name it.
    pub(super) fn whole_resource(&self) -> String {
        match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource),
            None => self.resource.clone(),
        }
    }

    /// The verbs that the caller needs.
    pub(super) fn needs(&self) -> &'static [&'static str] {
        match self.verb {
            // What it applies to may not be there yet.
            "apply" if self.subresource.is_none() => &["patch", "create"],
            "apply" | "merge" => &["patch"],
            "get" => &["get"],
            "list" => &["list"],
            "watch" => &["watch"],
            "create" | "try" => &["create"],
            _ => &["delete"],
        }
    }

    /// A verb that the controller's rights do not include.
    pub(super) fn missing_right(&self) -> Option<&'static str> {
        let granted = |verb: &&'static str| rbac::grants(&self.group, &self.whole_resource(), verb);
        self.needs().iter().copied().find(|verb| !granted(verb))
    }

    /// What the API server says to one who may not do this.
    pub(super) fn forbidden(&self) -> String {
        format!(
            "{resource} {name:?} is forbidden: User \"pricepipe-controller\" cannot {verb} resource {resource:?} in \
             API group {group:?} in the namespace {namespace:?}",
            resource = self.whole_resource(),
            name = self.name,
            verb = self.needs()[0],
            group = self.group,
            namespace = self.namespace,
        )
    }
}

/// Events have names that hold the time, so their reason stands for them.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.body.get("reason").and_then(Value::as_str).filter(|_| self.resource == "events");
        write!(f, "{} {} {}", self.verb, self.whole_resource(), reason.unwrap_or(&self.name))
    }
}

/// The labels of a selector, each equal to something.
fn selector(query: &str) -> Vec<(String, String)> {
    let selector = query.split('&').find_map(|parameter| parameter.strip_prefix("labelSelector="));
    let plain = [("%2F", "/"), ("%3D", "="), ("%2C", ",")];
    let written = selector.unwrap_or_default().to_owned();
    let text = plain.iter().fold(written, |text, (code, letter)| text.replace(code, letter));
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(label, value)| (label.to_owned(), value.to_owned())).collect()
}

/// An apply without these would fail, or would fail as soon as somebody else has changed a field.
fn is_forced_and_ours(query: &str) -> bool {
    let parameters: Vec<&str> = query.split('&').collect();
    parameters.contains(&format!("fieldManager={}", labels::CONTROLLER).as_str())
        && parameters.contains(&"force=true")
}
