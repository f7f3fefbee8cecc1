//! The controller's binary: settings from the environment, the cluster from the pod or the kubeconfig.

use std::process::ExitCode;

use kube::Client;
use pricepipe_controller::{
    Controller,
    settings::{self, Settings},
};
use pricepipe_service::{
    Process, admin, environment, shutdown,
    telemetry::{self, LogFormat},
    with_causes,
    worker::{self, Binary},
};
use tokio_util::sync::CancellationToken;

const BINARY: Binary = Binary {
    name: "pricepipe-controller",
    purpose: "keeps the PricePipelines of a Kubernetes cluster running",
    takes_config: false,
    variables: settings::VARIABLES,
};

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    if let Some(code) = BINARY.answer() {
        return code;
    }
    telemetry::start(LogFormat::from_environment(LogFormat::Json), "info");
    match control().await {
        Ok(()) => ExitCode::SUCCESS,
        Err((message, code)) => {
            tracing::error!("{message}");
            code
        }
    }
}

async fn control() -> Result<(), (String, ExitCode)> {
    let unusable = |message: String| (message, ExitCode::from(worker::CONFIG_EXIT));
    let failed = |message: String| (message, ExitCode::FAILURE);
    let settings = Settings::read(environment::lookup).map_err(|error| unusable(error.to_string()))?;
    let address = worker::admin_address().map_err(|error| unusable(error.to_string()))?;
    let client = Client::try_default().await.map_err(|error| {
        let why = with_causes(&error);
        unusable(format!("no cluster to work in, neither from a pod nor from a kubeconfig: {why}"))
    })?;
    let process = Process::new("controller");
    let stop = shutdown::on_signal().map_err(|error| failed(error.to_string()))?;
    let identity = settings.identity.clone();
    let controller = Controller::new(client, settings, &process);
    // The admin server outlives the work: it reports "not ready" while visits end.
    let admin_stop = CancellationToken::new();
    let address = admin::start(&process, address, admin_stop.clone())
        .await
        .map_err(|error| unusable(with_causes(&error)))?;
    tracing::info!(identity, %address, "waiting for leadership");
    if let Err(error) = controller.run(stop).await {
        tracing::error!("{error}");
        // At once: a visit under way could still write, and nothing here is to be waited for.
        std::process::exit(1);
    }
    admin_stop.cancel();
    tracing::info!("stopped");
    Ok(())
}
