//! Features and logits that PyTorch gave for made-up images.

use confide_model::{Card, Forward, Golden, Weights, pattern};

/// Compares the fast evaluation with every known answer that needs no data.
pub fn check(card: &Card, weights: &Weights, golden: &Golden) {
    let [features, logits] = [card.feature_layer(), Some(card.architecture.output())]
        .map(|layer| Forward::new(&card.architecture, weights, layer.expect("a layer")));
    let [features, logits] = [features, logits].map(|forward| forward.expect("valid"));
    let mut compared = 0;
    for case in &golden.cases {
        let Some(index) = case.pattern else { continue };
        let image = pattern(index, card.input.shape);
        let image = card.normalise(&image).expect("an image");
        for (forward, known) in [(&features, &case.features), (&logits, &case.logits)] {
            let found = forward.run(&image).expect("runs");
            assert_eq!(found.len(), known.len());
            for (x, y) in found.iter().zip(known) {
                assert!(
                    (f64::from(*x) - y).abs() < 1e-4 * y.abs().max(1.0),
                    "{x}, {y}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 0, "{}", card.name);
}
