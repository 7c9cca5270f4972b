use super::*;

fn png(width: u32, height: u32, color: ColorType, depth: BitDepth, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A grey picture of 8 x 8 pixels of value 128: one block whose coefficients are all zero.
const GREY_JPEG: &[u8] = include_bytes!("grey.jpg");

#[test]
fn png_of_all_colours_becomes_grey_or_rgb() {
    let rgb = png(
        2,
        1,
        ColorType::Rgb,
        BitDepth::Eight,
        &[10, 20, 30, 255, 0, 0],
    );
    let picture = Picture::read(&rgb).unwrap();
    assert_eq!(picture.to_input([3, 1, 2]), [10, 255, 20, 0, 30, 0]);
    assert_eq!(picture.to_input([1, 1, 2]), [18, 76]);
    let alpha = png(1, 1, ColorType::Rgba, BitDepth::Eight, &[1, 2, 3, 0]);
    assert_eq!(
        Picture::read(&alpha).unwrap().to_input([3, 1, 1]),
        [1, 2, 3]
    );
    let deep = png(1, 1, ColorType::Grayscale, BitDepth::Sixteen, &[200, 77]);
    assert_eq!(Picture::read(&deep).unwrap().to_input([3, 1, 1]), [200; 3]);
    let bits = png(8, 1, ColorType::Grayscale, BitDepth::One, &[0b1010_0000]);
    let expected = [255, 0, 255, 0, 0, 0, 0, 0];
    assert_eq!(Picture::read(&bits).unwrap().to_input([1, 1, 8]), expected);
}

#[test]
fn jpeg_is_read() {
    let picture = Picture::read(GREY_JPEG).unwrap();
    let input = picture.to_input([1, 8, 8]);
    assert_eq!(input.len(), 64);
    assert!(
        input.iter().all(|&sample| sample.abs_diff(128) <= 1),
        "{input:?}"
    );
}

#[test]
fn sizes_change_smoothly() {
    let flat = Picture::new([7, 5], 1, vec![90; 35]).unwrap();
    for [height, width] in [[5, 7], [3, 2], [16, 9], [1, 1]] {
        assert!(flat.to_input([1, height, width]).iter().all(|&s| s == 90));
    }
    // Half the size: each pixel has weights 1/8, 3/8, 3/8, 1/8 of its four neighbours (less at the edge).
    let ramp = Picture::new([8, 1], 1, (0..8).map(|i| i * 16).collect()).unwrap();
    let half = ramp.to_input([1, 1, 4]);
    assert_eq!(half[1..3], [40, 72]);
    assert!(half[0] > 8 && half[3] < 104);
}

#[test]
fn hostile_files_are_refused() {
    for bytes in [
        &b""[..],
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xd9",
        &GREY_JPEG[..40],
    ] {
        assert_eq!(Picture::read(bytes).unwrap_err().code, "CC-1020");
    }
    // A header that claims a gigantic picture, in a file of a few bytes.
    let mut bomb = png(1, 1, ColorType::Grayscale, BitDepth::Eight, &[0]);
    bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let crc = crc32(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(Picture::read(&bomb).unwrap_err().code, "CC-1021");
    let truncated = png(4, 4, ColorType::Rgb, BitDepth::Eight, &[7; 48]);
    assert!(Picture::read(&truncated[..truncated.len() / 2]).is_err());
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

#[test]
fn cifar_records_are_read() {
    let mut bytes = vec![3; 3073];
    bytes.extend([9]);
    bytes.extend([1; 3072]);
    let images = read_cifar(&bytes).unwrap();
    assert_eq!(images.len(), 2);
    assert_eq!((images[1].0, images[1].1.len()), (9, 3072));
    assert!(read_cifar(&bytes[1..]).is_err() && read_cifar(&[]).is_err());
    bytes[0] = 10;
    assert!(read_cifar(&bytes).is_err());
}
