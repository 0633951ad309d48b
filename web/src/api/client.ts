import { Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { AccessService } from '../gen/larder/v1/access_pb';
import { AlarmService } from '../gen/larder/v1/alarms_pb';
import { CameraService } from '../gen/larder/v1/cameras_pb';
import { JobService } from '../gen/larder/v1/jobs_pb';
import { RecordingService } from '../gen/larder/v1/recordings_pb';
import { SystemService } from '../gen/larder/v1/system_pb';
import { TemperatureService } from '../gen/larder/v1/temperatures_pb';
import { ViewerService } from '../gen/larder/v1/viewers_pb';

let whenSignedOut = () => {};

/** Sets what happens when the hub no longer knows this session. */
export function onSignedOut(handler: () => void) {
  whenSignedOut = handler;
}

const noticeSignedOut: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    if (ConnectError.from(error).code === Code.Unauthenticated) whenSignedOut();
    throw error;
  }
};

// The session is a cookie that scripts cannot read; the browser sends it along to its own origin.
const transport = createGrpcWebTransport({ baseUrl: location.origin, interceptors: [noticeSignedOut] });

export const access = createClient(AccessService, transport);
export const alarms = createClient(AlarmService, transport);
export const cameras = createClient(CameraService, transport);
export const jobs = createClient(JobService, transport);
export const recordings = createClient(RecordingService, transport);
export const system = createClient(SystemService, transport);
export const temperatures = createClient(TemperatureService, transport);
export const viewers = createClient(ViewerService, transport);
