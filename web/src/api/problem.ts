import { Code, ConnectError } from '@connectrpc/connect';

/** Whether an error is only the end of something we ended ourselves. */
export function isAbort(error: unknown): boolean {
  return (
    (error instanceof DOMException && error.name === 'AbortError') ||
    ConnectError.from(error).code === Code.Canceled
  );
}

/** Whether the hub could not be reached at all, or is not ready. */
export function isUnreachable(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  return code === Code.Unavailable || code === Code.Unknown || code === Code.DeadlineExceeded;
}

/** An error as a sentence that says what happened and, where it is known, what to do. */
export function problem(error: unknown): string {
  const { code, rawMessage } = ConnectError.from(error);
  switch (code) {
    case Code.Unauthenticated:
      return sentence(rawMessage || 'you are signed out');
    case Code.PermissionDenied:
      return 'You may look, but not change this. An admin can.';
    case Code.Unimplemented:
      return 'This hub cannot do that yet.';
    case Code.DeadlineExceeded:
      return 'The hub took too long to answer. Try again.';
    case Code.Unavailable:
      return sentence(rawMessage || 'the hub cannot do this now') + ' Try again in a moment.';
    case Code.Unknown:
      return 'The hub does not answer. It may be starting; this page tries again.';
    case Code.ResourceExhausted:
      return sentence(rawMessage || 'too many requests') + ' Wait a moment, then try again.';
    default:
      return sentence(rawMessage);
  }
}

function sentence(text: string): string {
  const trimmed = text.trim();
  if (!trimmed) return 'Something went wrong.';
  const first = trimmed[0] ?? '';
  return first.toUpperCase() + trimmed.slice(1) + (/[.?]$/.test(trimmed) ? '' : '.');
}
