use std::{
    fs::OpenOptions,
    io::{IsTerminal, Write},
    net::IpAddr,
    path::PathBuf,
    sync::Mutex,
};

use anyhow::{Context, bail};
use steadymask_models::{DeviceChoice, Segmenter, block_on};
use tokio::net::TcpListener;
use tracing_subscriber::{Layer, filter::LevelFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::analyze::Networks;
use crate::{
    Error,
    cars::Analyzer,
    http,
    job::{Jobs, Store},
    library::{Library, Segmenters},
    video,
};

/// Serve the HTTP interface and, if asked, the page.
#[derive(clap::Args)]
pub struct Args {
    /// Port of the HTTP interface; 0 takes a free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Address to listen on; 0.0.0.0 lets other machines in.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Folder for uploads, results and logs.
    #[arg(long, default_value = "data", value_name = "FOLDER")]
    data: PathBuf,
    /// Folder of the built page, served on a port of its own.
    #[arg(long, value_name = "FOLDER")]
    site: Option<PathBuf>,
    /// Port of the page; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    site_port: u16,
    /// Largest video accepted, in MiB.
    #[arg(long, default_value_t = 2048, value_name = "MIB")]
    max_upload: u64,
    /// Where the network runs: auto, cpu, cuda, vulkan or webgpu.
    #[arg(long, default_value = "auto", value_name = "NAME")]
    device: DeviceChoice,
    #[command(flatten)]
    cars: Networks,
    /// Serve POST /analyze and GET /health on this port, too, as 5000; 0 takes a free one.
    #[arg(long, value_name = "PORT")]
    analyze_port: Option<u16>,
}

/// Runs the command until it is asked to stop.
///
/// # Errors
/// When the data folder cannot be written, ffmpeg is missing, an address is taken, or the network cannot be loaded.
pub fn run(args: Args) -> anyhow::Result<()> {
    video::require_tools()?;
    if let Some(site) = &args.site
        && !site.join("index.html").is_file()
    {
        bail!("{} holds no page (no index.html); build it first", site.display());
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let api_listener = runtime.block_on(listen(args.host, args.port, "--port"))?;
    let site = match args.site {
        Some(folder) => Some((folder, runtime.block_on(listen(args.host, args.site_port, "--site-port"))?)),
        None => None,
    };
    let analyzer_listener = match args.analyze_port {
        Some(port) => Some(runtime.block_on(listen(args.host, port, "--analyze-port"))?),
        None => None,
    };
    let store = Store::open(&args.data)?;
    let log = store.log_file();
    let log = OpenOptions::new().create(true).append(true).open(&log).map_err(Error::io("write", &log))?;
    let colored = std::io::stderr().is_terminal();
    tracing_subscriber::registry()
        .with(fmt::layer().with_ansi(colored).with_writer(std::io::stderr).with_filter(LevelFilter::INFO))
        .with(fmt::layer().with_ansi(false).with_writer(Mutex::new(log)).with_filter(LevelFilter::INFO))
        .init();
    let segmenter = block_on(Segmenter::embedded(args.device))?;
    let (model, device) = (segmenter.info().clone(), segmenter.device());
    tracing::info!(model = model.name, device = device.name, reason = device.reason, "network loaded");
    let jobs = Jobs::start(store, Segmenters::new(segmenter, args.device))?;
    let analyzer = analyzer(&args.cars, args.device)?;
    let max_upload = args.max_upload.saturating_mul(1 << 20);
    let app = http::App { jobs: jobs.clone(), model, device, max_upload, analyzer };

    let mut out = std::io::stdout();
    writeln!(out, "API   http://{}", api_listener.local_addr()?)?;
    if let Some((_, listener)) = &site {
        writeln!(out, "Page  http://{}", listener.local_addr()?)?;
    }
    if let Some(listener) = &analyzer_listener {
        writeln!(out, "Cars  http://{}", listener.local_addr()?)?;
    }
    out.flush()?;
    let served = runtime.block_on(async {
        let cars = async {
            match analyzer_listener {
                Some(listener) => {
                    axum::serve(listener, http::cars(app.clone())).with_graceful_shutdown(asked_to_stop()).await
                }
                None => Ok(()),
            }
        };
        let api = axum::serve(api_listener, http::api(app.clone())).with_graceful_shutdown(asked_to_stop());
        let page = async {
            match site {
                Some((folder, listener)) => {
                    axum::serve(listener, http::site(&folder)).with_graceful_shutdown(asked_to_stop()).await
                }
                None => Ok(()),
            }
        };
        tokio::try_join!(async { api.await }, page, cars).context("the server failed")
    });
    tracing::info!("stopping");
    jobs.stop();
    served.map(drop)
}

/// What judges cars, where there is a network for it. It has a segmentation network of its own: that of the jobs is at
/// work for minutes.
fn analyzer(networks: &Networks, device: DeviceChoice) -> anyhow::Result<Option<http::SharedAnalyzer>> {
    let classifiers = networks.open_those_there(&Library::open()?)?;
    if classifiers.is_empty() {
        tracing::info!("no networks for cars are here: POST /analyze will say so");
        return Ok(None);
    }
    for (question, classifier) in &classifiers {
        tracing::info!(question = question.name(), model = classifier.info().name, "classifier loaded");
    }
    let analyzer = Analyzer::new(classifiers, block_on(Segmenter::embedded(device))?)?;
    Ok(Some(http::SharedAnalyzer::new(analyzer)))
}

async fn listen(host: IpAddr, port: u16, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind((host, port)).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("{host}:{port} is in use; stop the program that listens there, or take another with {flag}")
        }
        _ => anyhow::anyhow!("cannot listen on {host}:{port} ({e}); take another with --host or {flag}"),
    })
}

/// Ctrl-C, or the signal that service managers and containers send.
async fn asked_to_stop() {
    let interrupt = async {
        // Without a handler there is only the signal's default: an end at once.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
