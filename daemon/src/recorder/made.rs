//! Streams as ffmpeg shapes them, for tests of whatever reads one and for the splitter's fuzz target.

/// A box.
pub(crate) fn a_box(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(body.len() + 8).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(body);
    bytes
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// An init section as ffmpeg shapes it: timescale 1000, 640x480.
pub(crate) fn init() -> Vec<u8> {
    let avcc = a_box(b"avcC", &[1, 0x42, 0xC0, 0x1E, 0xFF]);
    let mut entry = vec![0; 78];
    entry[24..28].copy_from_slice(&[2, 0x80, 1, 0xE0]);
    entry.extend(avcc);
    let mut stsd = words(&[0, 1]);
    stsd.extend(a_box(b"avc1", &entry));
    let minf = a_box(b"minf", &a_box(b"stbl", &a_box(b"stsd", &stsd)));
    let mdhd = a_box(b"mdhd", &words(&[0, 0, 0, 1000, 0, 0]));
    let mdia = a_box(b"mdia", &[mdhd, minf].concat());
    let moov = a_box(b"moov", &a_box(b"trak", &mdia));
    [a_box(b"ftyp", b"iso5\0\0\x02\0"), moov].concat()
}

/// A fragment as ffmpeg shapes it; `durations` in milliseconds, one a picture.
pub(crate) fn fragment(number: u32, start_ms: u32, durations: &[u32], payload: usize) -> Vec<u8> {
    let mut trun = words(&[0x301, u32::try_from(durations.len()).unwrap(), 0]);
    // All of the media is the first picture's, but for a byte of each other.
    let first = payload.saturating_sub(durations.len().saturating_sub(1));
    for (at, duration) in durations.iter().enumerate() {
        let size = if at == 0 { u32::try_from(first).unwrap() } else { 1 };
        trun.extend(words(&[*duration, size]));
    }
    let traf = [
        a_box(b"tfhd", &words(&[0x2_0008, 1, 100])),
        a_box(b"tfdt", &words(&[0x0100_0000, 0, start_ms])),
        a_box(b"trun", &trun),
    ]
    .concat();
    let moof = [a_box(b"mfhd", &words(&[0, number + 1])), a_box(b"traf", &traf)].concat();
    [a_box(b"moof", &moof), a_box(b"mdat", &vec![7; payload])].concat()
}
