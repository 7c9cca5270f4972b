//! Model folders: what is read, and what is refused with which words.

use std::collections::BTreeMap;
use std::path::Path;

use confide_model::samples::{Placement, resnet};
use confide_model::{CARD, FORMAT, Model, ModelError, Network, pattern, reference};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn network() -> Network {
    resnet([1, 4, 4], &[2], 1, 2, Placement::Branch)
}

/// Weights of 1/8 everywhere.
fn weights(network: &Network) -> Vec<u8> {
    let shapes = network.tensor_shapes();
    let data: BTreeMap<&String, Vec<u8>> = shapes
        .iter()
        .map(|(name, shape)| (name, 0.125_f32.to_le_bytes().repeat(shape.iter().product())))
        .collect();
    let views = shapes.iter().map(|(name, shape)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), &data[name]).expect("a tensor");
        (name.clone(), view)
    });
    safetensors::serialize(views, None).expect("serialises")
}

/// Writes a folder whose card and weights `change` may have altered; the card's digests are those of what is written.
fn written(folder: &Path, change: impl Fn(&mut Value, &mut Vec<u8>)) {
    let network = network();
    let mut weights = weights(&network);
    let golden = b"{\"cases\": []}".to_vec();
    let bound: BTreeMap<&str, f64> = network
        .shapes()
        .expect("valid")
        .keys()
        .map(|&name| (name, 8.0))
        .collect();
    let mut card = json!({
        "format": FORMAT, "name": "tiny", "about": "A test.", "licence": "Apache-2.0 OR MIT", "classes": ["a", "b"],
        "input": {"shape": [1, 4, 4], "normalise": "", "mean": [0.5], "std": [0.25]},
        "ranges": {"bound": bound}, "levels": network.levels(), "architecture": network,
        "weights": {"file": "weights.safetensors", "bytes": weights.len(), "sha256": digest(&weights)},
        "golden": {"file": "golden.json", "sha256": digest(&golden)},
    });
    change(&mut card, &mut weights);
    std::fs::write(folder.join("weights.safetensors"), &weights).expect("written");
    std::fs::write(folder.join("golden.json"), &golden).expect("written");
    std::fs::write(folder.join(CARD), card.to_string()).expect("written");
}

fn features() -> Value {
    json!({"layer": "pool", "mean": [0.5, 0.25], "rows": [[2.0, 0.0]], "bound": 4.0})
}

fn refusal(change: impl Fn(&mut Value, &mut Vec<u8>)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), change);
    Model::read(folder.path()).expect_err("refused").to_string()
}

#[test]
fn a_good_folder_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), |_, _| {});
    let model = Model::read(folder.path()).expect("valid");
    assert_eq!(model.card.architecture, network());
    let image = model
        .card
        .normalise(&pattern(1, [1, 4, 4]))
        .expect("an image");
    assert!((image[0][0] - (40.0 / 255.0 - 0.5) / 0.25).abs() < 1e-12);
    assert!(model.card.normalise(&[0; 15]).is_err());
    let maps = reference::run(&model.card.architecture, &model.weights, &image).expect("runs");
    assert_eq!(maps["dense"].shape, [2, 1, 1]);
}

#[test]
fn features_for_heads_are_optional() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), |_, _| {});
    let card = Model::read(folder.path()).expect("valid").card;
    assert!(card.features.is_none());
    written(folder.path(), |card, _| card["features"] = features());
    let card = Model::read(folder.path()).expect("valid").card;
    let features = card.features.expect("features");
    assert_eq!((features.rows.len(), features.bound), (1, 4.0));
}

#[test]
fn what_is_wrong_is_said() {
    type Change = fn(&mut Value, &mut Vec<u8>);
    let cases: [(&str, Change); 16] = [
        ("format \"other\"", |card, _| {
            card["format"] = "other".into()
        }),
        ("sha256", |_, weights| weights[200] ^= 1),
        ("bytes", |_, weights| weights.push(0)),
        ("8 levels", |card, _| card["levels"] = 8.into()),
        ("classes", |card, _| card["classes"] = json!(["a"])),
        ("bound of", |card, _| {
            card["ranges"]["bound"]["dense"] = (-1.0).into()
        }),
        ("std", |card, _| card["input"]["std"] = json!([0.0])),
        ("layer stem.conv: channels", |card, _| {
            card["architecture"]["layers"][0]["in"] = 2.into()
        }),
        ("layer stem.conv: geometry", |card, _| {
            card["architecture"]["layers"][0]["kernel"] = 5.into()
        }),
        ("layer stem.act: activation", |card, _| {
            card["architecture"]["layers"][1]["kind"] = "relu".into()
        }),
        ("layer stem.act: input", |card, _| {
            card["architecture"]["layers"][1]["inputs"] = json!(["later"])
        }),
        ("unknown variant", |card, _| {
            card["architecture"]["layers"][1]["op"] = "softmax".into()
        }),
        ("\"dense\" is no pooling layer", |card, _| {
            card["features"] = features();
            card["features"]["layer"] = "dense".into();
        }),
        ("mean needs 2 finite numbers, has 1", |card, _| {
            card["features"] = features();
            card["features"]["mean"] = json!([0.0]);
        }),
        ("rows need 1 to 2 rows", |card, _| {
            card["features"] = features();
            card["features"]["rows"] = json!([[1.0, 0.0], [0.5]]);
        }),
        ("not the name of a file", |card, _| {
            card["weights"]["file"] = "../weights".into()
        }),
    ];
    for (expected, change) in cases {
        let text = refusal(change);
        assert!(text.contains(expected), "{text:?} lacks {expected:?}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    assert!(matches!(
        Model::read(folder.path()),
        Err(ModelError::File { .. })
    ));
}

/// Where the digest is right but the content is not that of the architecture.
#[test]
fn weights_of_another_network_are_refused() {
    let text = refusal(|card, weights| {
        *weights = self::weights(&resnet([1, 4, 4], &[3], 1, 2, Placement::Branch));
        card["weights"]["bytes"] = weights.len().into();
        card["weights"]["sha256"] = digest(weights).into();
    });
    assert!(
        text.contains("tensor") && text.contains("needs [2, 2]"),
        "{text}"
    );
    let text = refusal(|card, weights| {
        *weights = b"nothing of the kind".to_vec();
        card["weights"]["bytes"] = weights.len().into();
        card["weights"]["sha256"] = digest(weights).into();
    });
    assert!(text.contains("safetensors"), "{text}");
}
