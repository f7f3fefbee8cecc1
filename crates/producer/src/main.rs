//! The producer's binary: one configuration file, secrets from the environment or mounted files.

use std::process::ExitCode;

use pricepipe_core::{config::ProducerConfig, environment::KAFKA_VARIABLES};
use pricepipe_producer::{Options, Producer, Summary};
use pricepipe_service::{
    Process, admin, environment, shutdown,
    telemetry::{self, LogFormat},
    with_causes,
    worker::{self, Binary},
};
use tokio_util::sync::CancellationToken;

const BINARY: Binary = Binary {
    name: "pricepipe-producer",
    purpose: "polls an exchange's prices and produces them to Kafka",
    takes_config: true,
    variables: KAFKA_VARIABLES,
};

// One thread is enough: the work is waiting. It also keeps the process small.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if let Some(code) = BINARY.answer() {
        return code;
    }
    telemetry::start(LogFormat::from_environment(LogFormat::Json), "info");
    match produce().await {
        Ok(Summary { produced, skipped_slots, rejected, .. }) => {
            tracing::info!(produced, skipped_slots, rejected, "stopped");
            ExitCode::SUCCESS
        }
        Err((message, code)) => {
            tracing::error!("{message}");
            code
        }
    }
}

async fn produce() -> Result<Summary, (String, ExitCode)> {
    let mut config: ProducerConfig = BINARY.config().map_err(|e| (with_causes(&e), e.exit_code()))?;
    let unusable = |message: String| (message, ExitCode::from(worker::CONFIG_EXIT));
    let (kafka, credentials) =
        environment::kafka(config.kafka).map_err(|error| unusable(with_causes(&error)))?;
    config.kafka = kafka;

    let process = Process::new("producer");
    let stop = shutdown::on_signal().map_err(|error| (with_causes(&error), ExitCode::FAILURE))?;
    let producer = Producer::new(&config, credentials.as_ref(), &process, Options::default())
        .map_err(|error| (with_causes(&error), error.exit_code()))?;
    let address = worker::admin_address().map_err(|error| unusable(with_causes(&error)))?;
    // The admin server outlives the work: it reports "not ready" while the producer drains.
    let admin_stop = CancellationToken::new();
    let address = admin::start(&process, address, admin_stop.clone())
        .await
        .map_err(|error| unusable(with_causes(&error)))?;
    tracing::info!(pipeline = %config.pipeline, %address, "producing");
    let result = producer.run(stop).await;
    admin_stop.cancel();
    result.map_err(|error| (with_causes(&error), error.exit_code()))
}
