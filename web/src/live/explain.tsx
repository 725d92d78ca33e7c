/** What changed in the marked stretch against as long a stretch before it. */
import { useEffect, useRef } from 'preact/hooks'
import { placeText, xAxis, type Stretch } from '../charts/view'
import type { Change, Explanation } from '../messages'
import { at } from '../shell/api'
import { useAnswer } from '../shell/ask'
import { figure, percent } from '../shell/format'
import { Failure } from '../shell/notices'
import { isCost, plainName } from './layout'
import { eventName } from './event-words'
import { explain as t } from './explain-words'
import { reason } from './reason-words'
import { metric } from './words'

/** Places of one kind of event; further ones are counted. */
const EACH = 4
const SHOWN = 8
const KINDS = ['component', 'episode', 'learner', 'curriculum', 'command', 'machine'] as const

export function Explain({ run, stretch, close }: { run: string; stretch: Stretch; close: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])
  const answer = useAnswer<Explanation>(at`runs/${run}/explain`, { x: xAxis.value, start: stretch.from, end: stretch.to })
  const told = answer.value.value
  return (
    <section class="explain" aria-labelledby="explain-title" onKeyDown={(event) => event.key === 'Escape' && (close(), event.stopPropagation())}>
      <header class="tools">
        <h2 id="explain-title" tabIndex={-1} ref={heading}>{t('title', { from: placeText(stretch.from), to: placeText(stretch.to) })}</h2>
        <span class="grow" />
        <button onClick={close}>{t('close')}</button>
      </header>
      {answer.value.failure ? <Failure error={answer.value.failure} /> : null}
      {told && <Told told={told} />}
    </section>
  )
}

function Told({ told }: { told: Explanation }) {
  if (!told.changes.length && !told.reasons.length) return <p class="muted">{t('nothing')}</p>
  const strongest = Math.max(...told.changes.map((change) => Math.abs(change.effect)), 1e-9)
  return (
    <>
      <p class="muted">
        {t('against', { from: placeText(told.before[0]), to: placeText(told.before[1]), before: told.episodes_before, during: told.episodes_during })} {t('effect')}
      </p>
      <div class="explained">
        {told.reasons.length > 0 && (
          <div>
            <h3>{t('reasons')}</h3>
            <table>
              <tbody>
                {told.reasons.map((row) => (
                  <tr key={row.reason}>
                    <td>{reason(row.reason)}</td>
                    <td class="num">{percent(row.before)}</td>
                    <td class="num"><b>{percent(row.during)}</b></td>
                    <td><Arrow effect={row.effect} strongest={1.5} /></td>
                  </tr>
                ))}
              </tbody>
            </table>
            {told.markers.length > 0 && (
              <>
                <h3>{t('happened')}</h3>
                <ul class="plain">{[...Map.groupBy(told.markers, (marker) => marker.kind)].map(([kind, found]) => (
                  <li key={kind}>{eventName(kind)} <small>{found.slice(0, EACH).map((marker) => placeText(marker.at[xAxis.value])).join(', ')}{found.length > EACH && ` … (${found.length})`}</small></li>
                ))}</ul>
              </>
            )}
          </div>
        )}
        {KINDS.map((kind) => <Kind key={kind} kind={kind} changes={told.changes.filter((change) => change.kind === kind)} strongest={strongest} />)}
      </div>
    </>
  )
}

function Kind({ kind, changes, strongest }: { kind: (typeof KINDS)[number]; changes: Change[]; strongest: number }) {
  if (!changes.length) return null
  return (
    <div>
      <h3>{t(kind)}</h3>
      <table>
        <tbody>
          {changes.slice(0, SHOWN).map((change) => (
            <tr key={change.key}>
              <td>{isCost(change.key) && '−'}{metric.maybe(change.key) ?? plainName(change.key)}</td>
              <td class="num">{figure(change.before)}</td>
              <td class="num"><b>{figure(change.during)}</b></td>
              <td><Arrow effect={change.effect} strongest={Math.min(strongest, 3)} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** A bar to the right for more, to the left for less. */
function Arrow({ effect, strongest }: { effect: number; strongest: number }) {
  const width = Math.min(1, Math.abs(effect) / strongest) * 50
  const says = t(effect > 0 ? 'more' : 'less', { size: Math.abs(effect) >= 99 ? '∞' : figure(Math.abs(effect), 2) })
  return (
    <span class="arrow" role="img" aria-label={says} title={says}>
      <i style={{ width: `${width}%`, left: effect > 0 ? '50%' : `${50 - width}%` }} />
    </span>
  )
}
