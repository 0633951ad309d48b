import { Role } from '../../gen/larder/v1/access_pb';

/** What a role is called. */
export function roleWords(role: Role): string {
  switch (role) {
    case Role.ADMIN:
      return 'admin';
    case Role.OPERATOR:
      return 'operator';
    case Role.VIEWER:
      return 'viewer';
    default:
      return 'unknown role';
  }
}
