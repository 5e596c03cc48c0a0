//! PCM s16le, 16 kHz, mono: the one form of audio here, bare or as a WAV file.

use bytes::Bytes;

/// Samples a second.
pub const SAMPLE_RATE: u32 = 16_000;
/// Bytes of one second.
pub const BYTES_PER_SECOND: usize = SAMPLE_RATE as usize * 2;
/// Bytes of a chunk as it comes in, a WAV header included.
pub const LARGEST_CHUNK: usize = 64 * 1024;
/// Bytes of the header that [`header`] writes.
pub const HEADER: usize = 44;

/// What came in is not audio of this form, or too much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidAudio(pub &'static str);

/// The samples of a chunk of a client: 1 to 1000 ms, without the WAV header that may stand in front of them.
///
/// # Errors
/// [`InvalidAudio`] says what is wrong with it.
pub fn chunk(bytes: Bytes) -> Result<Bytes, InvalidAudio> {
    if bytes.len() > LARGEST_CHUNK {
        return Err(InvalidAudio("a chunk has 64 KiB at most"));
    }
    let pcm = pcm(bytes)?;
    if pcm.len() > BYTES_PER_SECOND {
        return Err(InvalidAudio("a chunk has 1000 ms at most"));
    }
    Ok(pcm)
}

/// The samples, without the WAV header that may stand in front of them.
///
/// # Errors
/// [`InvalidAudio`] if there are none, half a sample is left over, or the header announces another form of audio.
pub fn pcm(bytes: Bytes) -> Result<Bytes, InvalidAudio> {
    let pcm = if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE") { data(&bytes)? } else { bytes };
    match pcm.len() {
        0 => Err(InvalidAudio("there is no audio")),
        length if length % 2 != 0 => Err(InvalidAudio("samples have two bytes")),
        _ => Ok(pcm),
    }
}

/// What the chunk `data` of a WAV file holds.
fn data(file: &Bytes) -> Result<Bytes, InvalidAudio> {
    let mut at = 12;
    let mut is_ours = false;
    while let Some(head) = file.get(at..at + 8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let body = at + 8;
        if &head[..4] == b"data" {
            if !is_ours {
                return Err(InvalidAudio("no format stands before the data"));
            }
            // A recorder that streams does not know the length yet and writes 0 or the largest number.
            let end = if length == 0 { file.len() } else { body.saturating_add(length).min(file.len()) };
            return Ok(file.slice(body..end));
        }
        if &head[..4] == b"fmt " {
            let format = file.get(body..body + 16).ok_or(InvalidAudio("the WAV header is cut off"))?;
            is_ours = judge(format)?;
        }
        // Chunks begin at even places.
        at = body.saturating_add(length).saturating_add(length % 2);
    }
    Err(InvalidAudio("the WAV file has no data"))
}

fn judge(format: &[u8]) -> Result<bool, InvalidAudio> {
    let u16_at = |at: usize| u16::from_le_bytes([format[at], format[at + 1]]);
    let rate = u32::from_le_bytes([format[4], format[5], format[6], format[7]]);
    // 0xFFFE: the format is said further behind, and the other numbers say enough.
    let is_pcm = matches!(u16_at(0), 1 | 0xFFFE) && u16_at(14) == 16;
    match (is_pcm, u16_at(2), rate) {
        (true, 1, SAMPLE_RATE) => Ok(true),
        _ => Err(InvalidAudio("audio is PCM with 16 bits, 16 kHz and one channel")),
    }
}

/// A WAV file of these samples.
pub fn file(pcm: &[u8]) -> Bytes {
    let mut file = Vec::with_capacity(HEADER + pcm.len());
    file.extend_from_slice(&header(pcm.len()));
    file.extend_from_slice(pcm);
    file.into()
}

/// What stands in front of so many bytes of samples.
pub fn header(pcm_bytes: usize) -> [u8; HEADER] {
    let length = u32::try_from(pcm_bytes).unwrap_or(u32::MAX - 36);
    let mut header = [0; HEADER];
    let mut at = 0;
    let mut write = |bytes: &[u8]| {
        header[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    write(b"RIFF");
    write(&length.saturating_add(36).to_le_bytes());
    write(b"WAVEfmt ");
    write(&16_u32.to_le_bytes());
    write(&1_u16.to_le_bytes());
    write(&1_u16.to_le_bytes());
    write(&SAMPLE_RATE.to_le_bytes());
    write(&(SAMPLE_RATE * 2).to_le_bytes());
    write(&2_u16.to_le_bytes());
    write(&16_u16.to_le_bytes());
    write(b"data");
    write(&length.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_samples_gives_them_back() {
        let samples: Vec<u8> = (0..3200).map(|n| (n % 251) as u8).collect();
        let file = file(&samples);
        assert_eq!(file.len(), HEADER + samples.len());
        assert_eq!(chunk(file).unwrap(), samples);
    }

    #[test]
    fn the_header_is_that_of_pcm_with_16_bits_16_khz_and_one_channel() {
        let expected = b"RIFF\x24\x7d\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data\x00\x7d\x00\x00";
        assert_eq!(&header(32_000), expected);
    }

    #[test]
    fn bare_samples_are_taken_as_they_are() {
        let samples = Bytes::from_static(b"RIFFabcd");
        assert_eq!(chunk(samples.clone()).unwrap(), samples, "only the beginning looks like a file");
    }

    #[test]
    fn other_chunks_before_the_data_are_skipped() {
        let mut file = file(&[1, 2, 3, 4]).to_vec();
        // Five bytes, and one that makes them even.
        let list = b"LIST\x05\x00\x00\x00hello\x00";
        file.splice(36..36, list.iter().copied());
        assert_eq!(&chunk(file.into()).unwrap()[..], [1, 2, 3, 4]);
    }

    #[test]
    fn a_recorder_that_does_not_know_the_length_yet_is_understood() {
        for length in [0_u32, u32::MAX] {
            let mut file = file(&[1, 2, 3, 4]).to_vec();
            file[40..44].copy_from_slice(&length.to_le_bytes());
            assert_eq!(&chunk(file.into()).unwrap()[..], [1, 2, 3, 4], "{length}");
        }
    }

    #[test]
    fn what_is_no_audio_of_this_form_is_refused_with_the_reason() {
        let with = |at: usize, byte: u8| {
            let mut file = file(&[1, 2, 3, 4]).to_vec();
            file[at] = byte;
            Bytes::from(file)
        };
        let cases = [
            (Bytes::new(), "there is no audio"),
            (Bytes::from_static(b"abc"), "samples have two bytes"),
            (with(22, 2), "audio is PCM with 16 bits, 16 kHz and one channel"),
            (with(24, 0), "audio is PCM with 16 bits, 16 kHz and one channel"),
            (with(34, 8), "audio is PCM with 16 bits, 16 kHz and one channel"),
            (with(20, 3), "audio is PCM with 16 bits, 16 kHz and one channel"),
            (with(12, b'x'), "no format stands before the data"),
            (with(36, b'x'), "the WAV file has no data"),
            (file(&[]), "there is no audio"),
            (file(&[1, 2]).slice(..30), "the WAV header is cut off"),
            (file(&[1, 2]).slice(..12), "the WAV file has no data"),
            (Bytes::from(vec![0; BYTES_PER_SECOND + 2]), "a chunk has 1000 ms at most"),
            (Bytes::from(vec![0; LARGEST_CHUNK + 2]), "a chunk has 64 KiB at most"),
        ];
        for (bytes, why) in cases {
            let shown = bytes.slice(..bytes.len().min(48));
            assert_eq!(chunk(bytes), Err(InvalidAudio(why)), "{shown:?}");
        }
        assert!(chunk(Bytes::from(vec![0; BYTES_PER_SECOND])).is_ok());
    }
}
