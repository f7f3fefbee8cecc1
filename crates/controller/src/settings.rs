//! What the operator chooses for all pipelines, read from the environment once. Pure but for the lookup.

mod endpoints;
mod kafka;

use pricepipe_api::{Fault, PricePipeline, validate};
use pricepipe_core::{
    Pipeline,
    pipeline::{KafkaCluster, SecretKey},
};

/// The image of producers.
pub const PRODUCER_IMAGE: &str = "PRICEPIPE_PRODUCER_IMAGE";
/// The image of consumers.
pub const CONSUMER_IMAGE: &str = "PRICEPIPE_CONSUMER_IMAGE";
/// When images are pulled.
pub const IMAGE_PULL_POLICY: &str = "PRICEPIPE_IMAGE_PULL_POLICY";
/// The Secrets by which images are pulled.
pub const IMAGE_PULL_SECRETS: &str = "PRICEPIPE_IMAGE_PULL_SECRETS";
/// The namespaces that are watched.
pub const WATCH_NAMESPACES: &str = "PRICEPIPE_WATCH_NAMESPACES";
/// The brokers of pipelines that name none.
pub const KAFKA_BOOTSTRAP_SERVERS: &str = "PRICEPIPE_KAFKA_BOOTSTRAP_SERVERS";
/// How to speak to them.
pub const KAFKA_SECURITY_PROTOCOL: &str = "PRICEPIPE_KAFKA_SECURITY_PROTOCOL";
/// How to prove the password.
pub const KAFKA_SASL_MECHANISM: &str = "PRICEPIPE_KAFKA_SASL_MECHANISM";
/// The Secret with the user and the password.
pub const KAFKA_CREDENTIALS_SECRET: &str = "PRICEPIPE_KAFKA_CREDENTIALS_SECRET";
/// The Secret with the authorities to trust.
pub const KAFKA_CA_SECRET: &str = "PRICEPIPE_KAFKA_CA_SECRET";
/// The Secret with the connection string of pipelines that name none.
pub const MONGODB_SECRET: &str = "PRICEPIPE_MONGODB_SECRET";
/// Who holds the lease.
pub const POD_NAME: &str = "POD_NAME";
/// Where the lease is.
pub const POD_NAMESPACE: &str = "POD_NAMESPACE";

/// Every variable with its meaning, for the documentation.
pub const VARIABLES: &[(&str, &str)] = &[
    (PRODUCER_IMAGE, "image of the producers"),
    (CONSUMER_IMAGE, "image of the consumers"),
    (IMAGE_PULL_POLICY, "`Always`, `IfNotPresent` or `Never`; `IfNotPresent` when absent"),
    (IMAGE_PULL_SECRETS, "names of Secrets in the pipelines' namespaces, separated by commas"),
    (WATCH_NAMESPACES, "namespaces to watch, separated by commas; all when absent"),
    (
        KAFKA_BOOTSTRAP_SERVERS,
        "`host:port` of some brokers, separated by commas, for pipelines that name none",
    ),
    (
        KAFKA_SECURITY_PROTOCOL,
        "how to speak to them: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`; `PLAINTEXT` when absent",
    ),
    (KAFKA_SASL_MECHANISM, "`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; `PLAIN` when the protocol has SASL"),
    (
        KAFKA_CREDENTIALS_SECRET,
        "name of the Secret with `username` and `password` for them, in the namespace of a pipeline",
    ),
    (
        KAFKA_CA_SECRET,
        "`name/key` of the Secret with the authorities to trust, in the namespace of a pipeline; the public ones \
         when absent",
    ),
    (
        endpoints::BINANCE,
        "base URLs of Binance, separated by commas, for pipelines that name none; the public ones when absent",
    ),
    (endpoints::COINBASE, "the same of Coinbase"),
    (endpoints::KRAKEN, "the same of Kraken"),
    (endpoints::BINANCE_STREAMS, "the same of Binance's streams, as in `wss://stream.binance.com:9443`"),
    (endpoints::COINBASE_STREAMS, "the same of Coinbase's streams"),
    (endpoints::KRAKEN_STREAMS, "the same of Kraken's streams"),
    (
        MONGODB_SECRET,
        "`name/key` of the Secret with the connection string, in the namespace of a pipeline that names none; \
         `pricepipe-mongodb/uri` when absent",
    ),
    (POD_NAME, "name under which the lease is held; the host's name when absent"),
    (POD_NAMESPACE, "namespace of the lease; the client's own when absent"),
];

const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];

pub use endpoints::Endpoints;

/// What the operator chooses for all pipelines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The image of producers.
    pub producer_image: String,
    /// The image of consumers.
    pub consumer_image: String,
    /// When images are pulled.
    pub image_pull_policy: String,
    /// The Secrets by which images are pulled.
    pub image_pull_secrets: Vec<String>,
    /// The namespaces that are watched; all when empty.
    pub namespaces: Vec<String>,
    /// The Kafka cluster of pipelines that name none, with Secrets in their own namespaces.
    pub kafka: Option<KafkaCluster>,
    /// Where exchanges are reached, for pipelines that do not say so.
    pub endpoints: Endpoints,
    /// The Secret with the connection string of pipelines that name none, in their own namespaces.
    pub mongodb: SecretKey,
    /// The name under which the lease is held.
    pub identity: String,
    /// The namespace of the lease, when it is not the client's own.
    pub lease_namespace: Option<String>,
}

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct SettingsError {
    variable: &'static str,
    problem: String,
}

impl Settings {
    /// Reads the environment. `lookup` gives the value of a variable.
    ///
    /// # Errors
    /// The first variable that cannot be used, with what to write instead.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let get = |variable| lookup(variable).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let image = |variable, component| {
            let image = get(variable);
            image.unwrap_or_else(|| {
                format!("ghcr.io/pricepipe/pricepipe-{component}:{}", env!("CARGO_PKG_VERSION"))
            })
        };
        Ok(Settings {
            producer_image: image(PRODUCER_IMAGE, "producer"),
            consumer_image: image(CONSUMER_IMAGE, "consumer"),
            image_pull_policy: pull_policy(get(IMAGE_PULL_POLICY))?,
            image_pull_secrets: names(
                IMAGE_PULL_SECRETS,
                get(IMAGE_PULL_SECRETS),
                "a Secret",
                is_secret_name,
            )?,
            namespaces: names(WATCH_NAMESPACES, get(WATCH_NAMESPACES), "a namespace", is_namespace)?,
            kafka: kafka::cluster(get)?,
            endpoints: Endpoints::read(get)?,
            mongodb: secret_key(
                MONGODB_SECRET,
                get(MONGODB_SECRET).as_deref().unwrap_or("pricepipe-mongodb/uri"),
            )?,
            identity: get(POD_NAME).or_else(|| get("HOSTNAME")).unwrap_or_else(own_name),
            lease_namespace: get(POD_NAMESPACE),
        })
    }

    /// The pipeline that a resource describes, with the operator's Kafka and endpoints where it names none.
    ///
    /// # Errors
    /// Every fault of the resource.
    pub(crate) fn pipeline(&self, resource: &PricePipeline) -> Result<Pipeline, Vec<Fault>> {
        let mut pipeline = validate(resource)?;
        pipeline.kafka = pipeline.kafka.or_else(|| self.kafka.clone());
        // Every source of a valid resource has become one of the pipeline.
        for (source, spec) in pipeline.sources.iter_mut().zip(&resource.spec.sources) {
            self.endpoints.fill(source, spec);
        }
        Ok(pipeline)
    }
}

fn pull_policy(text: Option<String>) -> Result<String, SettingsError> {
    let text = text.unwrap_or_else(|| "IfNotPresent".to_owned());
    if PULL_POLICIES.contains(&text.as_str()) {
        return Ok(text);
    }
    let problem = format!("{text:?} is not one of {}", PULL_POLICIES.join(", "));
    Err(SettingsError { variable: IMAGE_PULL_POLICY, problem })
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn names(
    variable: &'static str,
    text: Option<String>,
    what: &str,
    legal: fn(&str) -> bool,
) -> Result<Vec<String>, SettingsError> {
    let mut names: Vec<String> = Vec::new();
    for name in list(text.as_deref().unwrap_or_default()) {
        if !legal(name) {
            let problem = format!("{name:?} is not the name of {what}; write names separated by commas");
            return Err(SettingsError { variable, problem });
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn secret_key(variable: &'static str, text: &str) -> Result<SecretKey, SettingsError> {
    match text.split_once('/') {
        Some((name, key)) if is_secret_name(name) && is_secret_key(key) => {
            Ok(SecretKey { name: name.to_owned(), key: key.to_owned() })
        }
        _ => Err(SettingsError {
            variable,
            problem: format!("{text:?} is not the name/key of a Secret, as in pricepipe-mongodb/uri"),
        }),
    }
}

fn is_secret_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let edge = |b: Option<&u8>| b.is_some_and(|b| inner(*b));
    let bytes = text.as_bytes();
    text.len() <= 253
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| inner(*b) || b".-".contains(b))
}

fn is_secret_key(text: &str) -> bool {
    (1..=253).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_namespace(text: &str) -> bool {
    text.len() <= 63 && !text.contains('.') && is_secret_name(text)
}

/// A name that no other process has, for a controller outside of a cluster.
fn own_name() -> String {
    format!("pricepipe-controller-{}-{:08x}", std::process::id(), fastrand::u32(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn an_empty_environment_gives_defaults_that_work() {
        let settings = read(&[(WATCH_NAMESPACES, " ")]).unwrap();
        assert!(settings.producer_image.starts_with("ghcr.io/pricepipe/pricepipe-producer:"));
        assert_eq!(settings.image_pull_policy, "IfNotPresent");
        assert_eq!((settings.namespaces.len(), settings.kafka), (0, None));
        assert_eq!(
            (settings.mongodb.name.as_str(), settings.mongodb.key.as_str()),
            ("pricepipe-mongodb", "uri")
        );
        assert!(!settings.identity.is_empty());
    }

    #[test]
    fn each_variable_is_read() {
        let settings = read(&[
            (PRODUCER_IMAGE, "registry:5000/p:1"),
            (CONSUMER_IMAGE, "c"),
            (IMAGE_PULL_POLICY, "Never"),
            (IMAGE_PULL_SECRETS, "one, two"),
            (WATCH_NAMESPACES, "prices,prices, more"),
            (MONGODB_SECRET, "store/connection.string"),
            (POD_NAME, "me"),
            (POD_NAMESPACE, "here"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(
            (settings.producer_image.as_str(), settings.consumer_image.as_str()),
            ("registry:5000/p:1", "c")
        );
        assert_eq!(settings.image_pull_policy, "Never");
        assert_eq!(settings.image_pull_secrets, ["one", "two"]);
        assert_eq!(settings.namespaces, ["prices", "more"]);
        assert_eq!(settings.mongodb.key, "connection.string");
        assert_eq!((settings.identity.as_str(), settings.lease_namespace.as_deref()), ("me", Some("here")));
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_named_with_its_value_and_the_remedy() {
        for (variable, value, says) in [
            (IMAGE_PULL_POLICY, "always", r#""always" is not one of Always, IfNotPresent, Never"#),
            (
                IMAGE_PULL_SECRETS,
                "a b",
                r#""a b" is not the name of a Secret; write names separated by commas"#,
            ),
            (
                WATCH_NAMESPACES,
                "a.b",
                r#""a.b" is not the name of a namespace; write names separated by commas"#,
            ),
            (MONGODB_SECRET, "uri", r#""uri" is not the name/key of a Secret, as in pricepipe-mongodb/uri"#),
        ] {
            assert_eq!(read(&[(variable, value)]).unwrap_err().to_string(), format!("{variable}: {says}"));
        }
    }

    fn resource(spec: &str) -> PricePipeline {
        let text = format!(
            "{{apiVersion: pricepipe.dev/v1alpha1, kind: PricePipeline, metadata: {{name: majors}}, spec: {{symbols: \
             [{{symbol: BTCUSDT}}]{spec}}}}}"
        );
        serde_saphyr::from_str(&text).unwrap()
    }

    #[test]
    fn the_operators_choice_is_taken_where_a_pipeline_makes_none_and_nowhere_else() {
        let settings = read(&[
            (KAFKA_BOOTSTRAP_SERVERS, "default:9092"),
            (endpoints::BINANCE, "http://exchange.demo.svc:8990"),
        ]);
        let settings = settings.unwrap();
        let chosen = |spec| {
            let pipeline = settings.pipeline(&resource(spec)).unwrap();
            let servers = pipeline.kafka.unwrap().connection.bootstrap_servers;
            [servers[0].clone(), pipeline.sources[0].endpoints()[0].clone()]
        };
        assert_eq!(chosen(""), ["default:9092", "http://exchange.demo.svc:8990"]);
        let own = ", kafka: {bootstrapServers: ['own:9092']}, \
                   sources: [{exchange: binance, rest: {endpoints: ['https://api.binance.com']}}]";
        assert_eq!(chosen(own), ["own:9092", "https://api.binance.com"]);

        let nothing = read(&[]).unwrap().pipeline(&resource("")).unwrap();
        assert_eq!(nothing.kafka, None);
        let exchange = nothing.sources[0].exchange;
        assert_eq!(*nothing.sources[0].endpoints(), exchange.default_endpoints());
    }
}
