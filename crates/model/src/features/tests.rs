use confide_tensor::{ClearEvaluator, Evaluator};

use super::*;
use crate::layout::Grid;
use crate::samples::uniform;

const LOG_N: u32 = 10;

/// Layouts of pooled maps of 4 x 4 pixels, with images between and without, and how many images they hold.
fn layouts() -> Vec<Layout> {
    let grid = |batch| Grid::new(512, batch).expect("a grid");
    let plain = Layout::new(grid(32), 4).expect("one phase");
    let halved = |layout: Layout| layout.halved(false).expect("large enough");
    let spaced = halved(Layout::new(grid(8), 8).expect("one phase"));
    let wide = halved(spaced);
    vec![plain, spaced, wide]
}

fn sums(channels: usize, features: usize) -> FeatureSums {
    let mut state = 5;
    let mut numbers = |count: usize| (0..count).map(|_| uniform(&mut state)).collect::<Vec<_>>();
    let card = FeatureCard {
        layer: "pool".into(),
        mean: numbers(channels),
        rows: (0..features).map(|_| numbers(channels)).collect(),
        bound: 4.0,
    };
    FeatureSums::new(&card, &vec![2.0; channels], 0.5).expect("as many channels")
}

#[test]
fn resnet_20_leaves_what_bootstrapping_reads() {
    // 38 levels to the pooling and one to gather.
    let params = parameters(16, 39, &CostModel::default()).expect("secure");
    assert_eq!((params.max_level(), params.program_bottom()), (41, 2));
    assert_eq!(params.literal().log_p.len(), 3);
    assert!(params.log_qp() < 1694.0 && params.log_q_at(2) > 137.9);
    assert!((params.scale_at(3).log2() - 36.0).abs() < 0.1);
    assert!((params.scale_at(2).log2() - 26.0).abs() < 0.1);
    assert!(parameters(16, 44, &CostModel::default()).is_err());
    assert!(parameters(16, 0, &CostModel::default()).is_err());
}

#[test]
fn every_image_has_a_row_of_its_own() {
    for layout in layouts() {
        for columns in [1, 8, 16, 64] {
            for images in [1, layout.images() - 1, layout.images()] {
                let rows = FeatureRows::new(layout, images, columns).expect("fits");
                let tiles = rows.images_of_rows();
                assert_eq!(tiles.len(), rows.tiles());
                let mut seen: Vec<usize> = tiles.iter().flatten().flatten().copied().collect();
                seen.sort_unstable();
                assert!(seen.into_iter().eq(0..images), "{rows:?}");
                if images == layout.images() {
                    let all = rows.tiles() * rows.rows();
                    assert!(all < 2 * images.max(rows.rows()), "{rows:?}");
                }
            }
        }
    }
}

#[test]
fn rows_hold_the_sums_and_nothing_else() {
    let ev = ClearEvaluator::new(LOG_N, 3);
    let mut state = 7;
    for layout in layouts() {
        for (columns, images, features) in [(8, 11, 5), (16, 32, 4), (8, 20, 15), (64, 30, 3)] {
            let images = images.min(layout.images());
            let (channels, rows) = (3, FeatureRows::new(layout, images, columns).expect("fits"));
            let mut pooled = vec![vec![0.0; channels]; images];
            // What is not a pooled value is anything: sums over two images.
            let tensor: Tensor<_> = (0..channels)
                .map(|channel| {
                    let mut slots: Vec<Complex64> =
                        (0..512).map(|_| uniform(&mut state).into()).collect();
                    for (image, values) in pooled.iter_mut().enumerate() {
                        values[channel] = slots[layout.slot(image, 0, 0).1].re;
                    }
                    slots.resize(512, Complex64::ZERO);
                    vec![Arc::new(ev.encrypt(&slots, 3).expect("fits"))]
                })
                .collect();
            let sums = sums(channels, features);
            let found = rows.pack(&ev, tensor, &sums).expect("packs");
            let expected = reference(&rows, &pooled, &sums);
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(ev.level(found), 2);
                for (slot, (x, y)) in found.values().iter().zip(expected).enumerate() {
                    assert!((x - y).norm() < 1e-9, "{rows:?} slot {slot}: {x} for {y}");
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let layout = layouts()[1];
    assert!(FeatureRows::new(layout, 0, 8).is_err());
    assert!(FeatureRows::new(layout, layout.images() + 1, 8).is_err());
    assert!(FeatureRows::new(layout, 4, 12).is_err() && FeatureRows::new(layout, 4, 1024).is_err());
    let rows = FeatureRows::new(layout, 4, 2).expect("fits");
    let ev = ClearEvaluator::new(LOG_N, 3);
    let channel = || vec![Arc::new(ev.encrypt(&[], 3).expect("fits"))];
    let pack = |channels: usize, features| {
        let tensor = (0..channels).map(|_| channel()).collect();
        rows.pack(&ev, tensor, &sums(3, features))
    };
    assert!(pack(3, 3).is_ok() && pack(2, 3).is_err() && pack(3, 4).is_err());
}
