//! A Matroska file of JPEGs with the times of their capture: pure bytes.
//!
//! Clusters of about a second, one `V_MJPEG` track, an index (Cues) at the end, and a head that is written again then,
//! with where the index is and how long it all lasts. A file whose end was never written plays too, without the index.
//! Ids and layout: RFC 9559 and RFC 8794.

const EBML: u32 = 0x1A45_DFA3;
const EBML_READ_VERSION: u32 = 0x42F7;
const DOC_TYPE: u32 = 0x4282;
const DOC_TYPE_VERSION: u32 = 0x4287;
const DOC_TYPE_READ_VERSION: u32 = 0x4285;
const VOID: u32 = 0xEC;
const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114D_9B74;
const SEEK: u32 = 0x4DBB;
const SEEK_ID: u32 = 0x53AB;
const SEEK_POSITION: u32 = 0x53AC;
const INFO: u32 = 0x1549_A966;
const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
const DURATION: u32 = 0x4489;
const DATE: u32 = 0x4461;
const TITLE: u32 = 0x7BA9;
const MUXING_APP: u32 = 0x4D80;
const WRITING_APP: u32 = 0x5741;
const TRACKS: u32 = 0x1654_AE6B;
const TRACK_ENTRY: u32 = 0xAE;
const TRACK_NUMBER: u32 = 0xD7;
const TRACK_UID: u32 = 0x73C5;
const TRACK_TYPE: u32 = 0x83;
const FLAG_LACING: u32 = 0x9C;
const CODEC_ID: u32 = 0x86;
const VIDEO: u32 = 0xE0;
const PIXEL_WIDTH: u32 = 0xB0;
const PIXEL_HEIGHT: u32 = 0xBA;
const CLUSTER: u32 = 0x1F43_B675;
const CLUSTER_TIMESTAMP: u32 = 0xE7;
const SIMPLE_BLOCK: u32 = 0xA3;
const CUES: u32 = 0x1C53_BB6B;
const CUE_POINT: u32 = 0xBB;
const CUE_TIME: u32 = 0xB3;
const CUE_TRACK_POSITIONS: u32 = 0xB7;
const CUE_TRACK: u32 = 0xF7;
const CUE_CLUSTER_POSITION: u32 = 0xF1;

/// One millisecond, in the nanoseconds that TimestampScale counts in.
const MILLISECOND_NS: u64 = 1_000_000;
/// A cluster holds so much time; a block's own time is signed and of 16 bits, so 32 s would be the most.
const CLUSTER_MS: u64 = 1000;
/// The head is written into so many bytes, the rest of which is void.
const HEAD_LEN: usize = 640;
/// 2001-01-01 as microseconds since 1970: where Matroska's dates begin.
const DATES_BEGIN_US: i64 = 978_307_200_000_000;

/// What stands before a picture, and the head and the end around all of them.
pub(super) struct Muxer {
    title: String,
    size: (u16, u16),
    began_us: i64,
    written: u64,
    /// Where the segment's content begins.
    segment: u64,
    /// The present cluster's time.
    cluster_ms: Option<u64>,
    last_ms: Option<u64>,
    cues: Vec<(u64, u64)>,
}

impl Muxer {
    /// For pictures of this size from this moment on (microseconds since 1970), and the file's first bytes.
    pub(super) fn new(title: &str, size: (u16, u16), began_us: i64) -> (Self, Vec<u8>) {
        let mut muxer = Self {
            title: title.to_owned(),
            size,
            began_us,
            written: 0,
            segment: 0,
            cluster_ms: None,
            last_ms: None,
            cues: Vec::new(),
        };
        let head = muxer.head(None);
        muxer.written = at(head.len());
        (muxer, head)
    }

    /// What comes right before a picture of `length` bytes, captured then. Times that do not rise are moved to the next
    /// millisecond, since players expect them to.
    pub(super) fn before_picture(&mut self, captured_us: i64, length: usize) -> Vec<u8> {
        let ms = u64::try_from(captured_us.saturating_sub(self.began_us) / 1000).unwrap_or(0);
        let ms = self.last_ms.map_or(ms, |last| ms.max(last + 1));
        self.last_ms = Some(ms);
        let mut out = Vec::with_capacity(64);
        let cluster_ms = match self.cluster_ms {
            Some(began) if ms - began < CLUSTER_MS => began,
            _ => {
                self.cues.push((ms, self.written - self.segment));
                id(&mut out, CLUSTER);
                // Its end is where the next one begins: nothing has to be written again.
                out.extend_from_slice(&UNKNOWN_SIZE);
                unsigned(&mut out, CLUSTER_TIMESTAMP, ms);
                self.cluster_ms = Some(ms);
                ms
            }
        };
        let relative = u16::try_from(ms - cluster_ms).unwrap_or(0);
        let [high, low] = relative.to_be_bytes();
        // Track 1, the time, key frame: every JPEG stands alone.
        let block = [0x81, high, low, 0x80];
        id(&mut out, SIMPLE_BLOCK);
        size(&mut out, block.len() + length);
        out.extend_from_slice(&block);
        self.written += at(out.len() + length);
        out
    }

    /// The file's last bytes, and its head as it is to be written again over the first one.
    pub(super) fn end(&mut self) -> (Vec<u8>, Vec<u8>) {
        let mut cues = Vec::new();
        for (ms, position) in &self.cues {
            let mut positions = Vec::new();
            unsigned(&mut positions, CUE_TRACK, 1);
            unsigned(&mut positions, CUE_CLUSTER_POSITION, *position);
            let mut point = Vec::new();
            unsigned(&mut point, CUE_TIME, *ms);
            element(&mut point, CUE_TRACK_POSITIONS, &positions);
            element(&mut cues, CUE_POINT, &point);
        }
        let mut end = Vec::new();
        element(&mut end, CUES, &cues);
        let head = self.head(Some(self.written - self.segment));
        (end, head)
    }

    /// `index`: where it stands in the segment.
    fn head(&mut self, index: Option<u64>) -> Vec<u8> {
        let mut ebml = Vec::new();
        unsigned(&mut ebml, EBML_READ_VERSION, 1);
        element(&mut ebml, DOC_TYPE, b"matroska");
        unsigned(&mut ebml, DOC_TYPE_VERSION, 4);
        unsigned(&mut ebml, DOC_TYPE_READ_VERSION, 2);
        let mut head = Vec::with_capacity(HEAD_LEN);
        element(&mut head, EBML, &ebml);
        id(&mut head, SEGMENT);
        self.segment = at(head.len() + UNKNOWN_SIZE.len());
        // Also in the end: clusters without a size may not stand in a segment with one.
        head.extend_from_slice(&UNKNOWN_SIZE);
        if let Some(position) = index {
            let mut seek = Vec::new();
            element(&mut seek, SEEK_ID, &CUES.to_be_bytes());
            unsigned(&mut seek, SEEK_POSITION, position);
            let mut seeks = Vec::new();
            element(&mut seeks, SEEK, &seek);
            element(&mut head, SEEK_HEAD, &seeks);
        }
        element(&mut head, INFO, &self.info(index.is_some()));
        element(&mut head, TRACKS, &self.tracks());
        fill(&mut head);
        head
    }

    fn info(&self, is_whole: bool) -> Vec<u8> {
        let mut info = Vec::new();
        unsigned(&mut info, TIMESTAMP_SCALE, MILLISECOND_NS);
        if is_whole {
            let duration = self.last_ms.unwrap_or(0) as f64;
            element(&mut info, DURATION, &duration.to_be_bytes());
        }
        element(&mut info, DATE, &(self.began_us.saturating_sub(DATES_BEGIN_US).saturating_mul(1000)).to_be_bytes());
        element(&mut info, TITLE, self.title.as_bytes());
        element(&mut info, MUXING_APP, b"larder");
        element(&mut info, WRITING_APP, b"larderctl");
        info
    }

    fn tracks(&self) -> Vec<u8> {
        let mut video = Vec::new();
        unsigned(&mut video, PIXEL_WIDTH, self.size.0.into());
        unsigned(&mut video, PIXEL_HEIGHT, self.size.1.into());
        let mut track = Vec::new();
        unsigned(&mut track, TRACK_NUMBER, 1);
        unsigned(&mut track, TRACK_UID, 1);
        unsigned(&mut track, TRACK_TYPE, 1);
        unsigned(&mut track, FLAG_LACING, 0);
        element(&mut track, CODEC_ID, b"V_MJPEG");
        element(&mut track, VIDEO, &video);
        let mut tracks = Vec::new();
        element(&mut tracks, TRACK_ENTRY, &track);
        tracks
    }
}

/// All ones: a size that is not known.
const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

/// Makes the head as long as every head, with a void.
fn fill(head: &mut Vec<u8>) {
    let rest = HEAD_LEN.saturating_sub(head.len() + 1 + UNKNOWN_SIZE.len());
    element(head, VOID, &vec![0; rest]);
}

fn at(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn id(out: &mut Vec<u8>, id: u32) {
    out.extend(id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0));
}

/// A size as an eight-byte variable number: always allowed, and simpler than the shortest form.
fn size(out: &mut Vec<u8>, size: usize) {
    out.extend_from_slice(&(at(size) | 1 << 56).to_be_bytes());
}

fn element(out: &mut Vec<u8>, element: u32, body: &[u8]) {
    id(out, element);
    size(out, body.len());
    out.extend_from_slice(body);
}

fn unsigned(out: &mut Vec<u8>, name: u32, value: u64) {
    let bytes = value.to_be_bytes();
    let leading = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
    element(out, name, &bytes[leading..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of pictures captured at these milliseconds, as ffprobe sees it.
    fn file(times_ms: &[i64], is_ended: bool) -> Vec<u8> {
        let jpeg = crate::simulate::jpeg::encode(&vec![[90, 128, 128]; 16 * 16], (16, 16), Default::default());
        let began = 1_795_000_000_000_000;
        let (mut muxer, mut file) = Muxer::new("fridge", (16, 16), began);
        assert_eq!(file.len(), HEAD_LEN);
        for ms in times_ms {
            file.extend(muxer.before_picture(began + ms * 1000, jpeg.len()));
            file.extend(&jpeg);
        }
        if is_ended {
            let (end, head) = muxer.end();
            assert_eq!(head.len(), HEAD_LEN);
            file.extend(end);
            file[..HEAD_LEN].copy_from_slice(&head);
        }
        file
    }

    fn probed(file: &[u8], entries: &str) -> String {
        let mut named = tempfile::Builder::new().suffix(".mkv").tempfile().unwrap();
        std::io::Write::write_all(&mut named, file).unwrap();
        let probe = std::process::Command::new("ffprobe")
            .args(["-v", "error", "-show_entries", entries, "-of", "csv=p=0"])
            .arg(named.path())
            .output()
            .unwrap();
        assert!(probe.stderr.is_empty(), "{}", String::from_utf8_lossy(&probe.stderr));
        String::from_utf8(probe.stdout)
            .unwrap()
            .lines()
            .map(|line| line.trim_end_matches(','))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn pictures_have_their_times_however_the_file_ended() {
        let times = [0, 40, 80, 950, 1000, 1040, 90_000];
        for is_ended in [true, false] {
            let file = file(&times, is_ended);
            let seen = probed(&file, "packet=pts_time");
            assert_eq!(seen, "0.000000 0.040000 0.080000 0.950000 1.000000 1.040000 90.000000", "ended: {is_ended}");
        }
    }

    #[test]
    fn a_whole_file_tells_its_length_and_when_it_began() {
        let seen =
            probed(&file(&[0, 40, 5000], true), "format=duration:format_tags=title,creation_time:stream=codec_name");
        assert!(seen.contains("mjpeg") && seen.contains("5.000000"), "{seen}");
        assert!(seen.contains("fridge") && seen.contains("2026-11-18"), "{seen}");
    }

    #[test]
    fn times_that_do_not_rise_are_moved_on() {
        assert_eq!(probed(&file(&[100, 100, 90, 200], true), "packet=pts_time"), "0.100000 0.101000 0.102000 0.200000");
    }
}
