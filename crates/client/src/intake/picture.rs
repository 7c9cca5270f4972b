//! Pictures: PNG and JPEG files, grey or RGB, brought to the size of a network's input.

use crate::ClientError;
use png::{BitDepth, ColorType, Transformations};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Longest file that is read, in bytes.
pub const MAX_PICTURE_BYTES: usize = 64 << 20;
/// Most pixels a side: a small file can claim to be a very large picture.
pub const MAX_SIDE: usize = 8192;
/// Most pixels.
const MAX_PIXELS: usize = 1 << 25;
/// Image bytes of a record of CIFAR-10, behind a byte with the class.
const CIFAR_RECORD: usize = 3 * 32 * 32;

/// A picture of 8 bits a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    /// 1 for grey, 3 for RGB.
    channels: usize,
    /// By row, column, channel.
    samples: Vec<u8>,
}

impl Picture {
    /// Reads a PNG or JPEG file; which of them it is, its first bytes say. Transparency is ignored.
    ///
    /// # Errors
    /// `CC-1020` for another format or a damaged file, `CC-1021` for a picture that is too large.
    pub fn read(bytes: &[u8]) -> Result<Self, ClientError> {
        if bytes.len() > MAX_PICTURE_BYTES {
            return Err(too_large(&format!("{} bytes", bytes.len())));
        }
        if bytes.starts_with(b"\x89PNG") {
            read_png(bytes)
        } else if bytes.starts_with(&[0xff, 0xd8]) {
            read_jpeg(bytes)
        } else {
            Err(unreadable("it is neither PNG nor JPEG"))
        }
    }

    /// A picture from its samples by row, column, channel.
    ///
    /// # Errors
    /// `CC-1020` unless there are as many samples as pixels times channels, and 1 or 3 channels.
    pub fn new(
        [width, height]: [usize; 2],
        channels: usize,
        samples: Vec<u8>,
    ) -> Result<Self, ClientError> {
        if ![1, 3].contains(&channels) || samples.len() != width * height * channels || width == 0 {
            return Err(unreadable("its pixels do not match its size"));
        }
        Ok(Self {
            width,
            height,
            channels,
            samples,
        })
    }

    /// Samples by channel, row and column at another size: grey from RGB by the luma of ITU-R BT.601, RGB from grey by
    /// repetition; where the size differs, each pixel is the mean of the picture's pixels weighted by a triangle of the
    /// width of the reduction (bilinear interpolation where the picture is enlarged).
    #[must_use]
    pub fn to_input(&self, [channels, height, width]: [usize; 3]) -> Vec<u8> {
        let planes = (0..channels).map(|channel| self.plane(channel, channels));
        let mut out = Vec::with_capacity(channels * height * width);
        for plane in planes {
            if (self.width, self.height) == (width, height) {
                out.extend(plane);
                continue;
            }
            let rows = resample(&plane, self.width, width);
            let turned = transpose(&rows, width);
            let columns = resample(&turned, self.height, height);
            out.extend(transpose(&columns, height));
        }
        out
    }

    /// Plane `channel` of `channels`.
    fn plane(&self, channel: usize, channels: usize) -> Vec<u8> {
        let pixels = self.samples.chunks_exact(self.channels);
        match (self.channels, channels) {
            (3, 1) => pixels
                .map(|p| {
                    let [r, g, b] = [0, 1, 2].map(|i| u32::from(p[i]));
                    // 16 bits after the point; the sum of the factors is 2^16.
                    ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16) as u8
                })
                .collect(),
            (1, _) => self.samples.clone(),
            _ => pixels.map(|p| p[channel.min(self.channels - 1)]).collect(),
        }
    }
}

/// Rows of `from` samples to rows of `to`.
fn resample(plane: &[u8], from: usize, to: usize) -> Vec<u8> {
    let step = from as f64 / to as f64;
    let support = step.max(1.0);
    let taps: Vec<(usize, Vec<f64>)> = (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * step;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let weights = (first..end).map(|at| {
                let apart = (at as f64 + 0.5 - centre).abs() / support;
                (1.0 - apart).max(0.0)
            });
            let weights: Vec<f64> = weights.collect();
            let sum: f64 = weights.iter().sum();
            (first, weights.iter().map(|w| w / sum).collect())
        })
        .collect();
    let row = |row: &[u8]| -> Vec<u8> {
        let pixel = |(first, weights): &(usize, Vec<f64>)| {
            let products = weights.iter().zip(&row[*first..]);
            let sum: f64 = products.map(|(w, &sample)| w * f64::from(sample)).sum();
            sum.round() as u8
        };
        taps.iter().map(pixel).collect()
    };
    plane.chunks_exact(from).flat_map(row).collect()
}

/// Columns as rows.
fn transpose(plane: &[u8], width: usize) -> Vec<u8> {
    (0..width)
        .flat_map(|x| plane.iter().skip(x).step_by(width).copied())
        .collect()
}

/// Images of CIFAR-10's binary format: class, then 32x32 bytes each of red, green and blue, again and again.
///
/// # Errors
/// `CC-1020` unless the file consists of such records.
pub fn read_cifar(bytes: &[u8]) -> Result<Vec<(usize, Vec<u8>)>, ClientError> {
    let records = bytes.chunks_exact(1 + CIFAR_RECORD);
    if bytes.is_empty() || !records.remainder().is_empty() || bytes.len() > 1 << 30 {
        return Err(unreadable(&format!(
            "{} bytes are not records of {}",
            bytes.len(),
            1 + CIFAR_RECORD
        )));
    }
    let record = |record: &[u8]| match record.split_first() {
        Some((&class, pixels)) if class < 10 => Ok((usize::from(class), pixels.to_vec())),
        _ => Err(unreadable("a record has a class above 9")),
    };
    records.map(record).collect()
}

fn read_png(bytes: &[u8]) -> Result<Picture, ClientError> {
    let failed = |error: png::DecodingError| unreadable(&error.to_string());
    let limits = png::Limits {
        bytes: 4 * MAX_PIXELS,
    };
    let mut decoder = png::Decoder::new_with_limits(std::io::Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(failed)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    check_size(width, height)?;
    let size = reader.output_buffer_size();
    let size = size.ok_or_else(|| too_large(&format!("{width} x {height} pixels")))?;
    let mut samples = vec![0; size];
    let frame = reader.next_frame(&mut samples).map_err(failed)?;
    samples.truncate(frame.buffer_size());
    let parts = frame.color_type.samples();
    if frame.bit_depth != BitDepth::Eight || frame.color_type == ColorType::Indexed {
        return Err(unreadable("its pixels have another format than 8 bits"));
    }
    let kept = if parts < 3 { 1 } else { 3 };
    if parts != kept {
        samples = samples
            .chunks_exact(parts)
            .flat_map(|pixel| pixel[..kept].iter().copied())
            .collect();
    }
    Picture::new([width, height], kept, samples)
}

fn read_jpeg(bytes: &[u8]) -> Result<Picture, ClientError> {
    let failed = |error: zune_jpeg::errors::DecodeErrors| unreadable(&format!("{error:?}"));
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(failed)?;
    let info = decoder
        .info()
        .ok_or_else(|| unreadable("it has no header"))?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    check_size(width, height)?;
    let (channels, space) = match info.components {
        1 => (1, ColorSpace::Luma),
        _ => (3, ColorSpace::RGB),
    };
    let options = options.jpeg_set_out_colorspace(space);
    let samples = JpegDecoder::new_with_options(ZCursor::new(bytes), options)
        .decode()
        .map_err(failed)?;
    Picture::new([width, height], channels, samples)
}

fn check_size(width: usize, height: usize) -> Result<(), ClientError> {
    if width == 0 || height == 0 {
        return Err(unreadable("it has no pixels"));
    }
    if width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
        return Err(too_large(&format!("{width} x {height} pixels")));
    }
    Ok(())
}

fn unreadable(what: &str) -> ClientError {
    ClientError::new(
        "CC-1020",
        format!("The picture cannot be read: {what}."),
        "Save it as PNG or JPEG.",
    )
}

fn too_large(what: &str) -> ClientError {
    ClientError::new(
        "CC-1021",
        format!("The picture is too large: {what}."),
        "Save it at most 8192 pixels a side and 32 million in all.",
    )
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
