import type Hls from 'hls.js';
import type { LoaderCallbacks, LoaderConfiguration, LoaderContext, PlaylistLoaderConstructor } from 'hls.js';

/**
 * Loads playlists of hours that are not over yet without the line that ends them.
 *
 * The hub closes every range it is asked for with what is stored now. Left open, the list of the present hour is
 * read again by the player, which then plays on past the end without loading anything anew.
 */
export function growing(Player: typeof Hls, goesOn: () => boolean): PlaylistLoaderConstructor {
  class Growing extends Player.DefaultConfig.loader {
    override load(
      context: LoaderContext,
      config: LoaderConfiguration,
      callbacks: LoaderCallbacks<LoaderContext>,
    ) {
      super.load(context, config, {
        ...callbacks,
        onSuccess: (response, ...others) => {
          const open = goesOn() && typeof response.data === 'string';
          const data = open ? withoutEnd(String(response.data)) : response.data;
          callbacks.onSuccess({ ...response, data }, ...others);
        },
      });
    }
  }
  return Growing as unknown as PlaylistLoaderConstructor;
}

/** A playlist that may grow. */
export function withoutEnd(playlist: string): string {
  return playlist.replace(/^#EXT-X-(ENDLIST|PLAYLIST-TYPE:VOD)\r?\n?/gm, '');
}
