//! The simulated exchange as a pod, for pipelines that run in the cluster.

use std::{net::SocketAddr, time::Duration};

use k8s_openapi::api::core::v1::Service;
use serde::Deserialize;
use serde_json::json;

use super::{TestNamespace, until};
use crate::{http, oracle::Sequences};

const NAME: &str = "exchange-sim";
const PORT: u16 = 8990;

/// A simulated exchange in a test's namespace.
pub struct ClusterExchange {
    /// How pods reach it.
    pub url: String,
    /// How the test does: names of services are known to pods alone.
    address: SocketAddr,
}

#[derive(Deserialize)]
struct Served {
    symbol: String,
    price: String,
    delivered: bool,
}

impl ClusterExchange {
    /// Starts one.
    pub async fn start(namespace: &TestNamespace) -> ClusterExchange {
        namespace.apply(&manifests());
        ClusterExchange::at(namespace, NAME).await
    }

    /// The one behind this Service.
    pub async fn at(namespace: &TestNamespace, name: &str) -> ClusterExchange {
        let service = namespace.api::<Service>().get(name).await.expect("the service was created");
        let ip = service.spec.and_then(|spec| spec.cluster_ip).expect("a service has an address");
        let address = SocketAddr::new(ip.parse().expect("an address"), PORT);
        until("the simulated exchange answers", Duration::from_secs(60), async || {
            http::get(address, "/api/v3/ping").map(|_| ()).map_err(|error| error.to_string())
        })
        .await;
        ClusterExchange { url: format!("http://{name}.{}.svc:{PORT}", namespace.name), address }
    }

    /// The prices that reached a client since the exchange was started, by symbol and in order. It remembers the
    /// latest 100,000 prices and forgets all of them when its pod ends.
    pub async fn served(&self) -> Sequences {
        let mut served = Sequences::new();
        for line in self.page("/sim/ledger").await.lines() {
            let entry: Served = serde_json::from_str(line).expect("an entry of the ledger");
            if entry.delivered {
                served.entry(entry.symbol).or_default().push(entry.price);
            }
        }
        served
    }

    /// Serves nothing any more, so that what was served can be held against what is stored.
    pub fn close(&self) {
        self.fail(503);
    }

    /// Answers everything with this status from now on.
    pub fn fail(&self, status: u16) {
        let rule = json!({"fault": {"kind": "status", "status": status}, "lasts": "untilCleared"});
        let answer = http::post(self.address, "/sim/faults", &rule.to_string());
        assert_eq!(answer.expect("the exchange answers").0, 200, "the exchange takes the fault");
    }

    /// Serves again.
    pub fn open(&self) {
        let answer = http::delete(self.address, "/sim/faults");
        assert_eq!(answer.expect("the exchange answers").0, 204, "the exchange forgets the fault");
    }

    /// How many requests it had.
    pub async fn requests(&self) -> usize {
        self.page("/sim/requests").await.lines().count()
    }

    /// A page that it serves. On a busy node an answer may be late.
    async fn page(&self, path: &str) -> String {
        until(path, Duration::from_secs(30), async || match http::get(self.address, path) {
            Ok((200, page)) => Ok(page),
            other => Err(format!("{other:?}")),
        })
        .await
    }
}

fn manifests() -> String {
    let labels = json!({"app.kubernetes.io/name": NAME});
    let container = json!({
        "name": NAME,
        "image": format!("ghcr.io/pricepipe/pricepipe:{}", env!("CARGO_PKG_VERSION")),
        "imagePullPolicy": "Never",
        "args": ["simulate-exchange", "--address", format!("0.0.0.0:{PORT}")],
        // Not a page of the exchange's: one that serves faults still tells what it served.
        "readinessProbe": {"httpGet": {"path": "/sim/faults", "port": PORT}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
        },
    });
    let pod = json!({
        "metadata": {"labels": labels},
        "spec": {
            "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1, "containers": [container],
        },
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME},
         "spec": {"selector": {"matchLabels": labels}, "template": pod}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME},
         "spec": {"selector": labels, "ports": [{"name": "http", "port": PORT}]}},
    ]})
    .to_string()
}
