// The real hub with a simulated camera, on free ports and in a folder of its own.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const START_MS = 120_000;
const LOG_KEPT = 20_000;

/** A hub that runs until it is stopped. */
export interface Hub {
  /** Where its pages are, without a slash at the end. */
  url: string;
  /** Where it listens, by the listener's name. */
  address: (name: string) => string;
  /** Runs larderctl on it as its admin and returns what it says as JSON. */
  larderctl: (...args: string[]) => Promise<unknown>;
  /** Starts a simulated camera, which is added first. */
  simulate: (camera: string) => Promise<ChildProcess>;
  /** Starts a simulated camera that was added elsewhere, with its key. */
  connect: (camera: string, key: string) => ChildProcess;
  /** Sends a text reading as a thermometer does, from this machine's own address. */
  reading: (text: string) => Promise<void>;
  /** Writes into the hub's own database what it would have had to live through. */
  past: (sql: string) => Promise<void>;
  stop: () => Promise<void>;
  /** Stops it, does something to its state folder, and starts it again there, at other addresses; it need not be ready. */
  restart: (meanwhile: (state: string) => Promise<void>) => Promise<Hub>;
}

interface Status {
  ready: boolean;
  listeners: { name: string; address: string }[];
}

/**
 * Starts larderd and waits until it is ready. `relay` is the relay's host, which another one than the pages' keeps from
 * them; `boards`: boards can push.
 */
export async function startHub({ relay = '127.0.0.1', boards = false } = {}): Promise<Hub> {
  // Started as root, the hub runs its database as another user, who must be able to walk to it.
  const state = await mkdtemp(join(tmpdir(), 'larder-e2e-'));
  await chmod(state, 0o755);
  return startIn(state, relay, boards, true);
}

async function startIn(state: string, relay: string, boards: boolean, whole: boolean): Promise<Hub> {
  const children: ChildProcess[] = [];
  const larderd = start('larderd', [
    `--state=${state}`,
    ...[
      'http.address',
      'http.https_address',
      'grpc.address',
      'camera_link.address',
      'thermometers.address',
    ].map((key) => `--set=${key}=127.0.0.1:0`),
    `--set=relay.address=${relay}:0`,
    '--set=backups.keep=0',
    ...(boards ? ['--set=boards.websocket_address=127.0.0.1:0'] : []),
  ]);
  const larderctl = async (...args: string[]): Promise<unknown> => {
    const { stdout } = await run(binary('larderctl'), [`--state=${state}`, '--json', ...args]);
    return stdout.trim() === '' ? null : JSON.parse(stdout);
  };
  const endAll = async () => {
    for (const child of [...children, larderd]) await end(child);
  };
  const restart = async (meanwhile: (state: string) => Promise<void>) => {
    await endAll();
    await meanwhile(state);
    return startIn(state, relay, boards, false);
  };
  const stop = async () => {
    await endAll();
    await rm(state, { recursive: true, force: true });
  };

  try {
    const status = await ready(larderd, larderctl, whole);
    const address = (name: string) => {
      const found = status.listeners.find((listener) => listener.name === name);
      if (!found) throw new Error(`the hub tells no address for ${name}`);
      return found.address;
    };
    const link = address('camera_link');
    const begin = (camera: string, key: string) => {
      const child = start('larderctl', [
        `--state=${state}`,
        ...['camera', 'simulate', camera, key, `--link=${link}`],
      ]);
      children.push(child);
      return child;
    };
    const simulate = async (camera: string) => {
      const file = join(state, `${camera}.key`);
      await larderctl('camera', 'add', camera, `--key-file=${file}`);
      return begin(camera, `--key-file=${file}`);
    };
    const connect = (camera: string, key: string) => begin(camera, `--key=${key}`);
    const reading = (text: string) => datagram(address('thermometers'), text);
    const past = async (sql: string) => {
      const host = join(state, 'postgres/run');
      const quiet = ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1'];
      const where = [`--host=${host}`, '--username=larder', '--dbname=postgres'];
      await run(psql(), [...quiet, ...where, `--command=${sql}`]);
    };
    return {
      url: `http://${address('http')}`,
      address,
      larderctl,
      simulate,
      connect,
      reading,
      past,
      stop,
      restart,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ready(larderd: ChildProcess, larderctl: Hub['larderctl'], whole: boolean): Promise<Status> {
  const deadline = Date.now() + START_MS;
  for (;;) {
    if (larderd.exitCode !== null) throw new Error(`larderd ended:\n${logs.get(larderd) ?? ''}`);
    try {
      const status = (await larderctl('status')) as Status;
      if (status.ready) return status;
    } catch (error) {
      // What is not ready is told all the same, with an exit code of its own.
      const { stdout = '' } = error as { stdout?: string };
      if (!whole && stdout.trim() !== '') return JSON.parse(stdout) as Status;
      if (Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error(`larderd is not ready:\n${logs.get(larderd) ?? ''}`);
    await new Promise((done) => setTimeout(done, 200));
  }
}

const logs = new WeakMap<ChildProcess, string>();

function start(name: 'larderd' | 'larderctl', args: string[]): ChildProcess {
  const child = spawn(binary(name), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const keep = (text: Buffer) =>
    logs.set(child, ((logs.get(child) ?? '') + text.toString()).slice(-LOG_KEPT));
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return child;
}

/** Ends a program and waits until it is gone. */
export async function end(child: ChildProcess) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** A way for datagrams to `to`, from the same port of this host. Returns its end: nothing goes through any more then. */
export async function openWay(host: string, to: string): Promise<() => void> {
  const [toHost = '', port = ''] = to.split(/:(?=\d+$)/);
  const front = createSocket('udp4');
  const backs = new Map<string, Socket>();
  front.on('message', (bytes, from) => {
    const key = `${from.address}:${from.port}`;
    let back = backs.get(key);
    if (!back) {
      back = createSocket('udp4');
      back.on('message', (answer) => front.send(answer, from.port, from.address));
      back.on('error', () => {});
      backs.set(key, back);
    }
    back.send(bytes, Number(port), toHost);
  });
  front.bind(Number(port), host);
  await once(front, 'listening');
  return () => {
    for (const socket of [front, ...backs.values()]) socket.close();
  };
}

async function datagram(to: string, text: string) {
  const [host = '', port = ''] = to.split(/:(?=\d+$)/);
  const socket = createSocket('udp4');
  await new Promise<void>((sent, failed) => {
    socket.send(text, Number(port), host, (error) => (error ? failed(error) : sent()));
  });
  socket.close();
}

/** Debian has one folder a version. */
function psql(): string {
  const root = '/usr/lib/postgresql';
  const version = readdirSync(root).sort((one, other) => Number(other) - Number(one))[0];
  return join(root, version ?? '', 'bin/psql');
}

/** LARDERD and LARDERCTL say where the programs are; else the last debug build is taken. */
function binary(name: 'larderd' | 'larderctl'): string {
  const named = process.env[name.toUpperCase()];
  const target = process.env['CARGO_TARGET_DIR'] ?? join(root, 'target');
  const path = named ?? join(target, 'debug', name);
  if (!existsSync(path))
    throw new Error(`there is no ${path}: run cargo build first, or set ${name.toUpperCase()}`);
  return path;
}
