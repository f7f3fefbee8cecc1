//! `pricepipe run`: a whole pipeline in this process. The exchange, Kafka and the store may each be embedded.

mod broker;
mod header;
mod observers;
pub(crate) mod places;
mod plan;
mod replayed;
mod rows;
mod screen;
mod topics;
mod watermarks;
mod workers;

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use pricepipe_core::{Pipeline, config::SourceConfig};
use pricepipe_producer::{Position, Watermark};
use pricepipe_service::{Process, admin, shutdown};
use tokio_util::sync::CancellationToken;

use self::{
    header::Header,
    observers::Observers,
    places::Places,
    plan::Plan,
    screen::{Course, Screen},
};
use crate::{
    args::{Progress, RunArgs},
    exit::{Exit, Failed},
    file, live, output,
    parts::{self, KafkaPart, SURROUNDINGS, StorePart, StoreWish},
};

const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// How often it is looked whether a replay has come to its end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs a pipeline until it is told to stop, then drains it and prints a summary.
pub(crate) async fn run(args: &RunArgs) -> Result<(), Failed> {
    course(pipeline(args)?, args, false).await
}

/// Runs a pipeline that replays, until its history is stored.
pub(crate) async fn replay(pipeline: Pipeline, args: &RunArgs) -> Result<(), Failed> {
    course(pipeline, args, true).await
}

async fn course(pipeline: Pipeline, args: &RunArgs, ends_replayed: bool) -> Result<(), Failed> {
    // Invented prices stay among themselves unless somebody says that they should not.
    let servers = !args.simulate || args.real_servers;
    let wish = StoreWish { args: &args.store, simulated: args.simulate, servers };
    let (kafka, store) = (
        parts::kafka(&pipeline, args.embedded_kafka || !servers, &SURROUNDINGS)?,
        parts::store(&pipeline, &wish, &SURROUNDINGS)?,
    );
    let stop =
        shutdown::on_signal_with(live::restore).map_err(|error| Failed::because(Exit::Failure, &error))?;
    if let Some(seconds) = args.stop_after {
        shutdown::after(Duration::from_secs(seconds), stop.clone());
    }
    let process = Process::new("pricepipe");
    let earlier = earlier(&pipeline, &kafka, &store, args.progress).await;
    let mut plan = Plan::of(pipeline, kafka, &store, &process)?;
    plan.earlier = earlier;
    let exchange = if args.simulate { Some(plan.simulate().await?) } else { None };
    let admin = serve_admin(&process, args.admin_address).await?;
    let places = Places::of(&plan, args.simulate);
    let header = Header::of(&plan, &places, args, admin);
    header.print();
    let (observers, progress) = (plan.observers().clone(), args.progress);
    if ends_replayed {
        tokio::spawn(stop_when_replayed(observers.clone(), process.clone(), stop.clone()));
    }
    let course =
        Course { observers: observers.clone(), process, progress, places, phase: live::Phase::Running };
    let mut screen = Screen::open(args.progress, header.titles(), course, stop);
    let ended = plan.run(&mut screen).await;
    let shown = screen.close();
    drop(exchange);
    ended.and(shown).and_then(|()| match &observers.given_up()[..] {
        [] => Ok(()),
        reasons => Err(Failed::new(Exit::NotFound, format!("no history: {}", reasons.join("; ")))),
    })
}

/// How far earlier runs came, where the store alone can tell.
#[derive(Default)]
struct Earlier {
    replayed: HashMap<String, Position>,
    watermarks: Vec<Watermark>,
}

/// Asks the store, where it is needed and there is one. One that is away is told of: what happened before is not fetched.
async fn earlier(pipeline: &Pipeline, kafka: &KafkaPart, store: &StorePart, progress: Progress) -> Earlier {
    // Polls have nothing that could be missed.
    if *kafka != KafkaPart::Embedded || pipeline.gaps_topic().is_none() {
        return Earlier::default();
    }
    // Where nothing was stored yet there is nothing to open.
    let Ok(store) = pricepipe_store::open_for_reading(&store.config, store.connection_string.as_ref()) else {
        return Earlier::default();
    };
    let watermarks = match store.ping().await {
        Ok(()) => watermarks::of(pipeline, &store).await,
        Err(error) => Err(error),
    };
    let earlier = match watermarks {
        Ok(watermarks) => Earlier { replayed: replayed::of(pipeline, &store).await, watermarks },
        Err(error) => {
            let message = format!(
                "the store does not tell where an earlier run left off ({error}): what streams have brought since \
                 is not fetched"
            );
            output::say(live::log_format(progress), "WARN", &message);
            Earlier::default()
        }
    };
    store.close().await;
    earlier
}

async fn stop_when_replayed(observers: Observers, process: Process, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::time::sleep(LOOK_EVERY).await;
        if observers.is_replayed(&process) {
            stop.cancel();
        }
    }
}

/// The pipeline of a file, which must not be suspended.
pub(crate) fn pipeline(args: &RunArgs) -> Result<Pipeline, Failed> {
    let mut pipeline = file::pipeline(&args.file)?;
    if pipeline.suspend {
        let message = format!(
            "{}: spec.suspend is true, so there is nothing to run; set it to false",
            args.file.display()
        );
        return Err(Failed::new(Exit::Invalid, message));
    }
    if let Some(millis) = args.interval_millis {
        pipeline
            .sources
            .iter_mut()
            .filter_map(SourceConfig::rest_mut)
            .for_each(|rest| rest.interval_millis = millis.max(1));
    }
    Ok(pipeline)
}

async fn serve_admin(process: &Process, address: Option<SocketAddr>) -> Result<SocketAddr, Failed> {
    // Not stopped before the process ends: the drain can be watched too.
    let forever = CancellationToken::new();
    let first = admin::start(process, address.unwrap_or(DEFAULT_ADMIN), forever.clone()).await;
    match first {
        Err(_) if address.is_none() => admin::start(process, ([127, 0, 0, 1], 0).into(), forever).await,
        other => other,
    }
    .map_err(|error| Failed::because(Exit::Invalid, &error))
}
