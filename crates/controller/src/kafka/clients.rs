//! One client for each Kafka cluster and user, however many pipelines share it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pricepipe_core::config::{KafkaConnection, KafkaCredentials};
use sha2::{Digest, Sha256};

use super::{KafkaAdmin, KafkaError};

/// A client that no pipeline asked for in this time is closed.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// The clients in use. Those that nobody asked for in a while are closed.
#[derive(Default)]
pub(crate) struct Clients(Mutex<HashMap<Fingerprint, Open>>);

/// A hash of everything that makes one client another than the next, so that no password is kept for comparing.
type Fingerprint = [u8; 32];

struct Open {
    admin: Arc<KafkaAdmin>,
    asked: Instant,
}

/// By what two connections are known to lead to the same Kafka: they have one of these in common.
pub(crate) type Cluster = BTreeSet<String>;

impl Clients {
    /// The client for this connection; nothing is connected yet when it is new. `ca_pem`: the text of the
    /// certificates to trust instead of the system's; `connection.ca_file`, which is the workers', is not read.
    pub(crate) fn admin(
        &self,
        connection: &KafkaConnection,
        credentials: Option<&KafkaCredentials>,
        ca_pem: Option<&str>,
    ) -> Result<Arc<KafkaAdmin>, KafkaError> {
        let (fingerprint, now) = (fingerprint(connection, credentials, ca_pem), Instant::now());
        let mut clients = self.lock();
        clients.retain(|_, open| now.duration_since(open.asked) < KEPT_FOR);
        if let Some(open) = clients.get_mut(&fingerprint) {
            open.asked = now;
            return Ok(Arc::clone(&open.admin));
        }
        let admin = Arc::new(KafkaAdmin::new(connection, credentials, ca_pem)?);
        clients.insert(fingerprint, Open { admin: Arc::clone(&admin), asked: now });
        Ok(admin)
    }

    /// What is known of the Kafka behind a connection: its addresses, and its cluster id once it was reached.
    pub(crate) fn cluster(&self, connection: &KafkaConnection) -> Cluster {
        let mut cluster: Cluster = addresses(connection).collect();
        let clients = self.lock();
        let same = clients.values().filter(|open| open.admin.addresses().any(|a| cluster.contains(a)));
        let ids: Vec<String> = same.filter_map(|open| open.admin.cluster_id()).collect();
        cluster.extend(ids.into_iter().map(|id| format!("cluster id {id}")));
        cluster
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses of a connection, each written in one way.
pub(super) fn addresses(connection: &KafkaConnection) -> impl Iterator<Item = String> {
    connection.bootstrap_servers.iter().map(|server| server.to_ascii_lowercase())
}

fn fingerprint(
    connection: &KafkaConnection,
    credentials: Option<&KafkaCredentials>,
    ca_pem: Option<&str>,
) -> Fingerprint {
    let mut hash = Sha256::new();
    // The length keeps what one part ends with from being what the next begins with.
    let mut add = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    };
    let addresses: BTreeSet<String> = addresses(connection).collect();
    add(&addresses.into_iter().collect::<Vec<_>>().join(","));
    add(connection.security_protocol.as_str());
    add(connection.sasl_mechanism.map_or("", |mechanism| mechanism.as_str()));
    add(credentials.map_or("", |credentials| &credentials.username));
    add(credentials.map_or("", |credentials| credentials.password.expose()));
    add(ca_pem.unwrap_or_default());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use pricepipe_core::Secret;

    use super::*;

    fn connection(servers: &[&str]) -> KafkaConnection {
        let bootstrap_servers = servers.iter().map(|&server| server.to_owned()).collect();
        KafkaConnection { bootstrap_servers, ..KafkaConnection::default() }
    }

    fn credentials(password: &str) -> KafkaCredentials {
        KafkaCredentials { username: "u".to_owned(), password: Secret::new(password) }
    }

    #[test]
    fn pipelines_with_the_same_connection_share_a_client_whatever_the_order_of_its_addresses() {
        let clients = Clients::default();
        let one = clients.admin(&connection(&["127.0.0.1:1", "127.0.0.1:2"]), None, None).unwrap();
        let two = clients.admin(&connection(&["127.0.0.1:2", "127.0.0.1:1"]), None, None).unwrap();
        assert!(Arc::ptr_eq(&one, &two));
    }

    #[test]
    fn another_password_or_another_authority_is_another_client() {
        let (here, first) = (connection(&["127.0.0.1:1"]), credentials("first"));
        let prints = [
            fingerprint(&here, None, None),
            fingerprint(&here, Some(&first), None),
            fingerprint(&here, Some(&credentials("second")), None),
            fingerprint(&here, Some(&first), Some("pem")),
            fingerprint(&connection(&["127.0.0.1:2"]), None, None),
        ];
        assert_eq!(prints.iter().collect::<BTreeSet<_>>().len(), prints.len());
    }

    #[test]
    fn one_address_in_common_makes_it_the_same_kafka() {
        let clients = Clients::default();
        let (one, two) = (connection(&["Kafka-0:9092", "kafka-1:9092"]), connection(&["kafka-0:9092"]));
        assert!(!clients.cluster(&one).is_disjoint(&clients.cluster(&two)));
        assert!(clients.cluster(&one).is_disjoint(&clients.cluster(&connection(&["kafka-2:9092"]))));
    }

    #[test]
    fn certificates_that_are_none_are_refused_in_words_that_say_where_they_come_from() {
        let tls = KafkaConnection {
            security_protocol: pricepipe_core::config::SecurityProtocol::Ssl,
            ..connection(&["127.0.0.1:1"])
        };
        let refused = Clients::default().admin(&tls, None, Some("no certificate")).err().unwrap();
        assert!(matches!(refused, KafkaError::Settings(_)), "{refused:?}");
        assert!(refused.to_string().contains("caSecretRef"), "{refused}");
        assert!(!refused.is_transient());
    }
}
