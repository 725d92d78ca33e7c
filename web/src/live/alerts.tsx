/** What about the run wants looking at, and where to look. */
import type { Alert } from '../messages'
import { at } from '../shell/api'
import { useAnswer } from '../shell/ask'
import { clockTime, compact } from '../shell/format'
import { setBrush, type Stretch } from '../charts/view'
import { details } from './alert-details'
import { alert as t } from './alert-words'

export function Alerts({ run, range }: { run: string; range: Stretch }) {
  const found = useAnswer<Alert[]>(at`runs/${run}/alerts`, {}, 5000).value.value ?? []
  if (!found.length) return null
  return (
    <ul class="alerts" aria-label={t('alerts')}>
      {found.map((each) => (
        <li key={each.kind} class={each.kind === 'crashed' || each.kind === 'stalled' ? 'warn' : 'bad'}>
          <b>{t(each.kind)}</b> <span>{details(each)}</span>
          <small>
            {each.timestep !== null && t('at', { timestep: compact(each.timestep) })} {clockTime(each.since_unix)}
          </small>
          {each.timestep !== null && each.kind === 'collapse' && (
            <button onClick={() => setBrush({ from: each.timestep as number, to: Math.max(range.to, (each.timestep as number) + 1) })}>{t('mark')}</button>
          )}
        </li>
      ))}
    </ul>
  )
}
