/** The last half second: which quantity crossed which limit first. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { figure } from '../shell/format'
import { LAST_S, quantities, type Quantity } from './fall'
import type { Player } from './player'
import { said, t } from './replay-words'
import { reasonWord } from './reasons'
import type { Loaded } from './source'

const MOST = 6

export const nameOf = ({ kind, name }: Quantity): string =>
  kind === 'torque' ? t('torqueOf', { name }) : kind === 'range' ? t('rangeOf', { name }) : (said.maybe(name) ?? name)

export function FallStrip({ loaded, player }: { loaded: Loaded; player: Player }) {
  const { episode, scene, track } = loaded
  const torque = ['torque', 'actuator_force'].find((name) => episode.facts.fields.some((field) => field.name === name))
  const ready = useSignal(!torque || episode.columns.has(torque))
  const fell = episode.facts.ended && episode.facts.reason !== 'time_limit' && episode.facts.reason !== 'truncated'
  useEffect(() => {
    ready.value = !torque || episode.columns.has(torque)
    if (fell && torque && !ready.value) void loaded.more([torque]).then(() => (ready.value = true))
  }, [loaded])
  if (!episode.facts.ended) return null
  if (!fell) return <section class="fall"><h2>{t('why')}</h2><p>{t('whyTime')}</p></section>
  const told = ready.value ? quantities(episode, scene, track) : []
  const first = told.find(({ crossed }) => crossed !== null)
  return (
    <section class="fall">
      <h2>{t('why')}: {reasonWord(episode.facts.reason)}</h2>
      <p>{!ready.value ? t('loading') : !first ? t('whyNone') : first.crossed ? t('whyFirst', { name: nameOf(first), s: figure(first.crossed, 2) }) : t('whyLast', { name: nameOf(first) })}</p>
      <div class="strips">
        {told.slice(0, MOST).map((each) => (
          <button key={`${each.kind}${each.name}`} class="strip" onClick={() => player.seek(episode.duration - (each.crossed ?? LAST_S))}>
            <span>{nameOf(each)}</span>
            <Spark quantity={each} />
            <small class="ends" aria-hidden="true"><i>−{LAST_S} s</i><i>0 s</i></small>
            <small>{valueOf(each)}</small>
            <small>{each.crossed === null ? t('never') : each.crossed ? t('crossed', { s: figure(each.crossed, 2) }) : t('lastStep')}</small>
          </button>
        ))}
      </div>
    </section>
  )
}

/** How it stood in the end, and the limit that it crossed or came nearest to. */
export function valueOf({ values, low, high, unit }: Quantity): string {
  const value = values.findLast(Number.isFinite)
  const limit = [low, high].filter((each) => each !== null).sort((a, b) => Math.abs(a - (value ?? 0)) - Math.abs(b - (value ?? 0)))[0]
  if (value === undefined || limit === undefined) return ''
  // The cosine of a tilt tells nobody anything.
  const degrees = (cosine: number) => figure((Math.acos(Math.max(-1, Math.min(1, cosine))) * 180) / Math.PI, 2)
  if (unit === 'cos') return t('tiltIs', { value: degrees(value), limit: degrees(limit) })
  return t('limitIs', { value: figure(value, 2), unit, limit: figure(limit, 2) })
}

function Spark({ quantity }: { quantity: Quantity }) {
  const { times, values, low, high, crossed } = quantity
  const seen = values.filter(Number.isFinite)
  const near = [low, high].filter((limit): limit is number => limit !== null && seen.some((value) => Math.abs(value - limit) < 1.2 * spread(seen, limit)))
  const [least, most] = [Math.min(...seen, ...near), Math.max(...seen, ...near)]
  const x = (time: number) => ((time + LAST_S) / LAST_S) * 100
  const y = (value: number) => 30 - ((value - least) / (most - least || 1)) * 26
  const path = times.map((time, i) => (Number.isFinite(values[i]) ? `${i ? 'L' : 'M'}${x(time).toFixed(1)} ${y(values[i]!).toFixed(1)}` : '')).join('')
  return (
    <svg viewBox="0 0 100 34" preserveAspectRatio="none" aria-hidden="true">
      {near.map((limit) => <line key={limit} class="limit" x1="0" x2="100" y1={y(limit)} y2={y(limit)} />)}
      <path d={path.replace(/^L/, 'M')} />
      {crossed !== null && <line class="cross" x1={x(-crossed)} x2={x(-crossed)} y1="0" y2="34" />}
    </svg>
  )
}

const spread = (values: number[], limit: number): number => Math.max(...values.map((value) => Math.abs(value - limit))) || 1
