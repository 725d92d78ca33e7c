/** Every page of the dashboard. A page is loaded when somebody first goes there. */
import type { ComponentType } from 'preact'
import type { PageProps } from './shell/page'
import type { ShellKey } from './shell/shell-words'

export interface Page {
  /** Whether it shows one run: then it stands in that run's row of tabs. */
  of: 'run' | 'all'
  title: ShellKey
  /** The second key of `g …`, which goes there. */
  key?: string
  /** Pages that others link to, but no tab does. */
  hidden?: true
  load: () => Promise<{ default: ComponentType<PageProps> }>
}

export const pages: Record<string, Page> = {
  runs: { of: 'all', title: 'runs', key: 'r', load: () => import('./runs/page') },
  live: { of: 'run', title: 'live', key: 'l', load: () => import('./live/page') },
  episode: { of: 'run', title: 'episode', key: 'e', load: () => import('./replay/page') },
  gallery: { of: 'run', title: 'gallery', load: () => import('./replay/gallery') },
  evolution: { of: 'run', title: 'evolution', load: () => import('./replay/evolution') },
  compare: { of: 'all', title: 'compare', key: 'c', load: () => import('./compare/page') },
  terminations: { of: 'run', title: 'terminations', key: 't', load: () => import('./run-pages/terminations') },
  checkpoints: { of: 'run', title: 'checkpoints', key: 'k', load: () => import('./run-pages/checkpoints') },
  health: { of: 'run', title: 'health', key: 'h', load: () => import('./run-pages/health') },
  config: { of: 'run', title: 'config', key: 'o', load: () => import('./run-pages/config') },
}
