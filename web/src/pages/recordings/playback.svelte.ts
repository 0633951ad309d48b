import type Hls from 'hls.js';
import type { Fragment, LevelDetails } from 'hls.js';
import { growing } from './growing';
import { mediaAt, wallAt, type Piece } from './mapping';
import { notesOf, type Note } from './notes';

/** Where playback stands. */
export type State = 'idle' | 'loading' | 'ready' | 'end' | 'failed';

const HOUR_MS = 3_600_000;
/** Where there is nothing yet of a recording that goes on, it is asked for again after this long. */
const AGAIN_MS = 4000;
/** What was recorded up to now is in the lists after this long, if it goes on. */
const RECENT_MS = 30_000;
/** The last pictures of an hour are in its list after this long. */
const LATE_MS = 20_000;
/** Nearer than this to the end of the list, in seconds, playing waits because there is no more. */
const EDGE_S = 0.5;

/**
 * Plays a camera's recordings by the clock on the wall.
 *
 * Playlists are asked for by whole hours, which the hub keeps ready once they are over. That of an hour that goes
 * on is read again while it is played. At the end of an hour it goes on with what was recorded next.
 */
export class Playback {
  state = $state<State>('idle');
  playing = $state(false);
  /** The moment on the screen, or the one asked for while it loads. */
  wall = $state(0);
  rate = $state(1);
  error = $state('');
  /** Temperatures that the hub told of what is loaded. */
  notes = $state.raw<readonly Note[]>([]);

  readonly #camera: string;
  /** Tells where the next recording begins, at or after a moment. */
  readonly #next: (wall: number) => number | null;
  #video: HTMLVideoElement | null = null;
  /** Holds the last picture while the next hour loads. */
  #still: HTMLCanvasElement | null = null;
  #hls: Hls | null = null;
  #hour = 0;
  #pieces: Piece[] = [];
  /** The moment to begin at, until the list is there, and then its place in the media, until that can be gone to. */
  #wanted: number | null = null;
  #from: number | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;

  constructor(camera: string, next: (wall: number) => number | null) {
    this.#camera = camera;
    this.#next = next;
  }

  /** Takes the video element it plays in, and what lies beneath it; the returned function gives them back. */
  attach(video: HTMLVideoElement, still: HTMLCanvasElement): () => void {
    this.#video = video;
    this.#still = still;
    const listeners: [string, () => void][] = [
      ['timeupdate', () => this.#tell()],
      ['loadedmetadata', () => this.#toStart()],
      ['seeked', () => this.#stands()],
      ['loadeddata', () => this.#stands()],
      ['playing', () => this.#began()],
      ['waiting', () => this.#waits()],
      ['pause', () => (this.playing = false)],
      ['ended', () => void this.#goOn()],
    ];
    for (const [name, listener] of listeners) video.addEventListener(name, listener);
    return () => {
      for (const [name, listener] of listeners) video.removeEventListener(name, listener);
      this.#unload();
      this.#video = null;
    };
  }

  /** Goes to a moment, or to the first recorded one after it. */
  async seek(wall: number, { play = this.playing }: { play?: boolean } = {}) {
    clearTimeout(this.#again);
    const at = this.#next(wall);
    if (at === null || !this.#video) {
      this.wall = wall;
      this.state = 'end';
      this.#video?.pause();
      const mayCome = this.#video !== null && Math.abs(Date.now() - wall) <= RECENT_MS;
      if (mayCome) this.#again = setTimeout(() => void this.seek(wall, { play }), AGAIN_MS);
      return;
    }
    this.wall = at;
    const media = this.#holds(at) ? mediaAt(this.#pieces, at) : null;
    if (media !== null && this.#hls) {
      this.#from = media;
      this.state = this.#video.readyState >= 2 ? 'ready' : 'loading';
      if (this.#video.readyState > 0) this.#toStart();
    } else {
      await this.#load(at);
    }
    if (play) await this.#play();
  }

  async toggle() {
    if (!this.#video) return;
    if (!this.#video.paused) this.#video.pause();
    else if (this.state === 'end' || this.state === 'idle') await this.seek(this.wall, { play: true });
    else await this.#play();
  }

  /** Steps by milliseconds, over gaps. */
  async step(ms: number) {
    await this.seek(this.wall + ms);
  }

  /** Steps by a frame, standing still. */
  stepFrame(frames: number, fps: number) {
    if (!this.#video || this.state !== 'ready') return;
    this.#video.pause();
    this.#video.currentTime += frames / Math.max(1, fps);
  }

  setRate(rate: number) {
    this.rate = rate;
    if (this.#video) this.#video.playbackRate = rate;
  }

  #holds(wall: number): boolean {
    return wall >= this.#hour && wall < this.#hour + HOUR_MS;
  }

  async #play() {
    try {
      await this.#video?.play();
    } catch {
      // The browser may want a press of the button first, or another seek came between.
    }
  }

  async #load(at: number) {
    const turn = ++this.#turn;
    this.#keepStill();
    this.#unload();
    this.state = 'loading';
    this.error = '';
    this.#hour = Math.floor(at / HOUR_MS) * HOUR_MS;
    this.#wanted = at;
    const { default: Player } = await import('hls.js/light');
    if (turn !== this.#turn || !this.#video) return;
    // Fragments are MP4 already, so there is nothing for a worker to do.
    const hls = new Player({
      enableWorker: false,
      // Date ranges are read from the list; as cues they would need an empty text track, which the policy refuses.
      enableDateRangeMetadataCues: false,
      pLoader: growing(Player, () => this.#goesOn()),
      startPosition: 0,
      liveSyncDuration: 1,
      backBufferLength: 60,
      maxBufferLength: 20,
    });
    this.#hls = hls;
    hls.on(Player.Events.LEVEL_UPDATED, (_event, { details }) => {
      this.#know(details.fragments);
      this.#note(details);
    });
    hls.on(Player.Events.LEVEL_PTS_UPDATED, (_event, { details }) => this.#know(details.fragments));
    hls.on(Player.Events.LEVEL_LOADED, (_event, { details }) => {
      this.#know(details.fragments);
      this.#note(details);
      this.#aim();
    });
    hls.on(Player.Events.ERROR, (_event, data) => {
      if (!data.fatal) return;
      if (data.response?.code === 404 && this.#goesOn()) return this.#tryAgain(at);
      this.state = 'failed';
      this.error =
        data.response?.code === 404
          ? 'This is no longer kept.'
          : `The recording could not be played (${data.details}).`;
    });
    hls.loadSource(this.#url());
    hls.attachMedia(this.#video);
    this.#video.defaultPlaybackRate = this.rate;
    this.#video.playbackRate = this.rate;
  }

  #url(): string {
    const time = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');
    return `/hls/${encodeURIComponent(this.#camera)}/${time(this.#hour)}/${time(this.#hour + HOUR_MS)}.m3u8`;
  }

  #know(fragments: readonly Fragment[]) {
    this.#pieces = fragments.flatMap(({ start, duration, programDateTime }) =>
      programDateTime === null ? [] : [{ start, duration, wall: programDateTime }],
    );
  }

  #note({ dateRanges }: LevelDetails) {
    this.notes = notesOf(Object.values(dateRanges).flatMap((range) => (range ? [range] : [])));
  }

  /** Turns the moment asked for into a place in the media, once the list says which. */
  #aim() {
    if (this.#wanted === null) return;
    this.#from = mediaAt(this.#pieces, this.#wanted);
    const last = this.#pieces.at(-1);
    // What is recorded right now is not in the list yet: begin with the newest that is.
    if (this.#from === null && last && this.#goesOn()) this.#from = last.start;
    this.#wanted = null;
    if (this.#from === null) void this.#goOn();
    else if (this.#video && this.#video.readyState > 0) this.#toStart();
  }

  /** The player loads its list and its first piece by itself; only then can it be sent elsewhere. */
  #toStart() {
    if (this.#from === null || !this.#video) return;
    this.#video.currentTime = this.#from;
    this.#from = null;
  }

  #stands() {
    if (!this.#video || this.#video.seeking || this.#from !== null || this.#wanted !== null) return;
    this.state = 'ready';
    this.#tell();
  }

  /** What was loaded is over: on with the next recording, or with more of this one. */
  async #goOn() {
    const last = this.#pieces.at(-1);
    const end = last ? last.wall + last.duration * 1000 : this.#hour + HOUR_MS;
    const over = this.#hour + HOUR_MS;
    // The list of an hour that is over holds all of it: what seems to be left there is a rounding.
    const next = this.#next(Date.now() > over + AGAIN_MS ? Math.max(end, over) : end);
    const play = this.playing || (this.#video?.ended ?? false);
    if (next !== null && !this.#holds(next)) return this.seek(next, { play });
    this.state = 'end';
    this.playing = false;
    if (next === null && Date.now() - end > RECENT_MS) return;
    this.#tryAgain(Math.max(end, Date.now() > over ? over : 0), play);
  }

  /** The end of a recording that goes on: there will be more of it. */
  #tryAgain(at: number, play = !(this.#video?.paused ?? true)) {
    this.state = 'end';
    clearTimeout(this.#again);
    this.#again = setTimeout(() => {
      void this.#load(at).then(() => (play ? this.#play() : undefined));
    }, AGAIN_MS);
  }

  /** Whether there may yet be more in the list of this hour. */
  #goesOn(): boolean {
    return Date.now() < this.#hour + HOUR_MS + LATE_MS;
  }

  #began() {
    this.playing = true;
    this.state = 'ready';
  }

  #waits() {
    const last = this.#pieces.at(-1);
    if (!last || !this.#video || this.#video.seeking || this.#from !== null) return;
    if (this.#video.currentTime > last.start + last.duration - EDGE_S) this.state = 'end';
  }

  #keepStill() {
    const [video, still] = [this.#video, this.#still];
    if (!video || !still || video.readyState < 2) return;
    still.width = video.videoWidth;
    still.height = video.videoHeight;
    still.getContext('2d')?.drawImage(video, 0, 0);
  }

  #tell() {
    if (!this.#video || this.#video.seeking || this.state === 'loading') return;
    const wall = wallAt(this.#pieces, this.#video.currentTime);
    if (wall !== null) this.wall = wall;
  }

  #unload() {
    clearTimeout(this.#again);
    this.#hls?.destroy();
    this.#hls = null;
    this.#pieces = [];
    this.#wanted = null;
    this.#from = null;
  }
}
