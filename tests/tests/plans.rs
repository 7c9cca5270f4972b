//! Plans from the real worker: within its limits, accepted by the client's own check, and refused
//! for tables that no plan fits.

use std::time::{Duration, Instant};

use confide_client::session::Event;
use confide_protocol::{WireError, code, from_bytes, to_bytes};
use confide_tests::{party::Party, worker::Worker};
use confide_train::bootstrapped::BootstrapWish;
use confide_train::{PlanRequest, TrainingPlan};

fn wish(epochs: usize, batch: usize) -> Option<BootstrapWish> {
    Some(BootstrapWish {
        batch,
        ..BootstrapWish::new(epochs)
    })
}

async fn ask(party: &mut Party, request: Vec<u8>) -> Result<TrainingPlan, WireError> {
    let number = party.session.request_plan(request);
    party
        .until(|event| match event {
            Event::Plan { request, plan } if *request == number => {
                Some(Ok(from_bytes(plan).expect("a plan")))
            }
            Event::Failed {
                request: Some(request),
                error,
                ..
            } if *request == number => Some(Err(error.clone())),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_keep_the_workers_limits_and_hostile_requests_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--threads", "2", "--max-memory", "2GiB"];
    let worker = Worker::start(dir.path(), &flags).await;
    let mut party = Party::connect(worker.url(), 1).await;
    let party = &mut party;

    let mut request = PlanRequest::new(455, 31, 2);
    request.max_memory_bytes = u64::MAX;
    request.threads = 64;
    let plan = ask(party, to_bytes(&request).unwrap()).await.unwrap();
    plan.check(&request).expect("the client accepts it");
    assert!(plan.costs().memory_bytes <= 2 << 30);
    assert_eq!(plan.costs().threads, 2);

    assert_eq!(
        ask(party, vec![1, 2, 3]).await.unwrap_err().code,
        code::PLAN_MALFORMED
    );
    type Change = fn(&mut PlanRequest);
    let changes: [(&str, Change); 11] = [
        ("rows", |r| r.rows = usize::MAX),
        ("features", |r| r.features = usize::MAX),
        ("classes", |r| r.classes = 1 << 40),
        ("predictions", |r| r.predict_rows_hint = usize::MAX),
        ("no rows", |r| r.rows = 0),
        ("no upload", |r| r.max_upload_bytes = 0),
        ("no iterations", |r| r.max_iterations = 0),
        ("ring degree", |r| r.log_n = Some(u32::MAX)),
        ("epochs", |r| r.bootstrapping = wish(usize::MAX, 64)),
        ("no minibatch", |r| r.bootstrapping = wish(1, 0)),
        ("validation", |r| {
            r.bootstrapping = Some(BootstrapWish {
                validation: usize::MAX,
                ..BootstrapWish::new(1)
            });
        }),
    ];
    for (what, change) in changes {
        let mut hostile = request.clone();
        change(&mut hostile);
        let began = Instant::now();
        let error = ask(party, to_bytes(&hostile).unwrap()).await.unwrap_err();
        assert_eq!(error.code, code::NO_PLAN, "{what}: {error:?}");
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
    }
    assert!(worker.terminate().await);
}
