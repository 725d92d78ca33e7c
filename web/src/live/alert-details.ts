/** What an alert says beside its name. */
import type { Alert } from '../messages'
import { bytes, figure } from '../shell/format'
import { alert as t } from './alert-words'
import { metric } from './words'

export function details({ kind, facts }: Alert): string {
  const number = (name: string) => Number(facts[name])
  switch (kind) {
    case 'not_finite':
    case 'diverged': {
      const where = facts['where'] === undefined ? '' : `${metric.maybe(`updates:${facts['where']}`) ?? facts['where']}: `
      return where + t(kind === 'diverged' ? 'timesOnly' : 'times', { count: number('times') })
    }
    case 'collapse':
      return t('fallen', { best: figure(number('best')), now: figure(number('now')) })
    case 'kl':
      return t('klSays', { kl: figure(number('kl')), usual: figure(number('usual')) })
    case 'disk':
      return t('diskSays', { free: bytes(number('free_bytes')) })
    case 'lost_rows':
      return t('lostSays', { rows: number('rows'), stream: String(facts['stream']) })
    case 'stalled':
      return t('stalledSays')
    case 'crashed':
      return number('checkpoints') ? t('crashedSays') : t('crashedWithoutSays')
  }
}
