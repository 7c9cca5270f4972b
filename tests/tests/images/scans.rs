//! A head on encrypted images, at a ring of no security: images, a model with features, and the data party's side of a run.

use std::path::Path;

use confide_client::session::Object;
use confide_client::workflow::classify::NamedImage;
use confide_client::workflow::images::{ImageOptions, ImageRun, ImageSetup, PlannedHead};
use confide_client::workflow::{Digests, Item, ObjectFactory, WorkerFacts};
use confide_tests::pictures;
use confide_train::TrainingPlan;
use confide_train::bootstrapped::{BootstrappedPlan, Preset};

/// Seed of the key.
pub const SEED: [u8; 32] = [6; 32];

/// The setup of a training on as many of the images as two equally full ciphertexts hold, on features of the model in a folder.
///
/// # Panics
/// When it is refused.
pub fn setup(
    model: &Path,
    (mut images, mut kinds): (Vec<NamedImage>, Vec<String>),
    bootstrapped: bool,
) -> ImageSetup {
    let card = std::fs::read(model.join("card.json")).expect("a card");
    let options = ImageOptions {
        epochs: 4,
        bootstrapped: Some(bootstrapped),
        ..ImageOptions::default()
    };
    loop {
        let setup = ImageSetup::new(&card, images.clone(), &kinds, options.clone());
        let setup = setup.expect("valid images");
        if setup.counts()[0].is_multiple_of(2) {
            return setup;
        }
        images.pop();
        kinds.pop();
    }
}

/// Accepts the plan that the worker would make of a setup, if its ring had security.
///
/// # Panics
/// When there is none.
pub fn planned(setup: ImageSetup, facts: &WorkerFacts) -> PlannedHead {
    let request = setup.request(facts);
    let wish = request.bootstrapping.expect("it bootstraps");
    let preset = Preset::InsecureForTests;
    let plan = BootstrappedPlan::of_request_at(preset, &request, &wish, &Default::default());
    let plan = TrainingPlan::Bootstrapped(plan.expect("a plan"));
    let bytes = confide_protocol::to_bytes(&plan).expect("encodes");
    setup.accept(&bytes, facts).expect("an honest plan")
}

/// Makes objects of a run.
///
/// # Panics
/// When one cannot be made.
pub fn make(run: &ImageRun, factory: &ObjectFactory, items: Vec<Item>) -> (Vec<Object>, Digests) {
    pictures::make(factory, items, |job| run.slots(job))
}

/// Makes the objects of the network.
///
/// # Panics
/// When the plans are refused.
pub fn network_factory(run: &ImageRun) -> ObjectFactory {
    let plan = run.features().next().expect("a plan");
    ObjectFactory::of_features(&SEED, plan, run.training()).expect("one secret")
}
