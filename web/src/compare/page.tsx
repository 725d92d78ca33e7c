import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Chart, type ChartProps } from '../charts/chart'
import { readFrame, smoothed, type Curve } from '../charts/curve'
import { colour } from '../charts/palette'
import { Toolbar } from '../charts/toolbar'
import { smoothing, xAxis, zoom } from '../charts/view'
import { isCost, plainName } from '../live/layout'
import { hint, metric } from '../live/words'
import type { Comparison, Figure } from '../messages'
import { at, getBinary } from '../shell/api'
import { useAnswer } from '../shell/ask'
import { figure, percent } from '../shell/format'
import { Failure, Notice, Waiting } from '../shell/notices'
import { href, param, setParams } from '../shell/route'
import { State } from '../runs/state'
import { runs, watchRuns } from '../runs/store'
import { seedBand } from './bands'
import { shortNames } from './names'
import { t } from './words'
import './compare.css'

const KEYS = [
  'episodes:return', 'episodes:length', 'episodes:is_success', 'updates:train/explained_variance',
  'updates:train/approx_kl', 'updates:train/entropy_loss', 'updates:train/value_loss', 'updates:train/std',
] as const
const BUCKETS = 120
const LIVE_MS = 5000
// Wall time is another for each run: what would lie upon each other?
const AXES = ['timestep', 'update', 'episode'] as const

const chosen = param('runs')
const mode = param('as')

export default function ComparePage() {
  useEffect(watchRuns, [])
  const ids = chosen.value.split(',').filter(Boolean)
  if (!ids.length)
    return (
      <Notice title={t('none')}>
        <p>{t('noneSays')}</p>
        <p><a href={href('runs')}>{t('toRuns')}</a></p>
      </Notice>
    )
  return <Comparing ids={ids} />
}

function Comparing({ ids }: { ids: string[] }) {
  const live = ids.some((id) => runs.value?.find((row) => row.id === id)?.state === 'running')
  const answer = useAnswer<Comparison>('compare', { runs: ids.map(encodeURIComponent).join() }, live ? LIVE_MS : 0)
  const curves = useSignal<ReadonlyMap<string, readonly Curve[]>>(new Map())
  const round = useSignal(0)
  useEffect(() => {
    if (!live) return
    const timer = setInterval(() => round.value++, LIVE_MS)
    return () => clearInterval(timer)
  }, [live])
  useEffect(() => {
    const stop = new AbortController()
    const query = { keys: KEYS.join(), x: xAxis.value, n: BUCKETS, start: zoom.value?.from, end: zoom.value?.to }
    for (const id of ids)
      getBinary(at`runs/${id}/curves`, query, stop.signal).then(
        (bytes) => (curves.value = new Map(curves.value).set(id, readFrame(bytes).curves)),
        () => {}, // the table beside it tells what is wrong
      )
    return () => stop.abort()
  }, [ids.join(), xAxis.value, zoom.value?.from, zoom.value?.to, round.value])
  const told = answer.value.value
  if (!told) return answer.value.failure ? <Failure error={answer.value.failure} again={answer.again} /> : <Waiting />

  const short = shortNames(told.rows.map((row) => row.id))
  const bands = mode.value === 'bands'
  const members = bands ? grouped(told, short) : told.rows.map((row, i) => ({ name: short(row.id), ids: [row.id], ink: i }))
  const drawn = KEYS.map((key, k) => {
    const lines = members.flatMap((member) => {
      const found = member.ids.flatMap((id) => curves.value.get(id)?.[k] ?? []).filter((curve) => curve.x.length)
      const curve = bands ? seedBand(key, found) : (found[0] ?? null)
      if (!curve) return []
      const shown = smoothed(curve.mean, smoothing.value)
      const drawnCurve = key === 'episodes:is_success' && !bands ? { ...curve, lo: shown, hi: shown } : curve
      return [{ line: { curve: drawnCurve, shown, colour: colour(member.ink) }, ...member }]
    })
    return { key, lines }
  }).filter(({ lines }) => lines.length)
  const places = drawn.flatMap(({ lines }) => lines.map(({ line }) => line.curve.x.at(-1) as number))
  const range = zoom.value ?? { from: 0, to: Math.max(1, ...places) }
  return (
    <div class="page">
      <Chosen told={told} ids={ids} />
      <div class="tools">
        <fieldset class="choice">
          <legend class="unseen">{t('drawn')}</legend>
          <button aria-pressed={!bands} onClick={() => setParams({ as: null })}>{t('each')}</button>
          <button aria-pressed={bands} title={t('bandsSays')} onClick={() => setParams({ as: 'bands' })}>{t('bands')}</button>
        </fieldset>
        <Toolbar axes={AXES} />
      </div>
      <h2 class="unseen">{t('curves')}</h2>
      <div class="charts">
        {drawn.map(({ key, lines }, i) => (
          <Chart key={key} title={metric.maybe(key) ?? plainName(key)} hint={hint.maybe(key)} names={lines.map(({ name }) => name)} lines={lines.map(({ line }) => line)} standing={standing(key, told, lines)}
            range={range} wide={i === 0} height={i === 0 ? 240 : 160} format={key === 'episodes:is_success' ? percent : undefined} bounds={key === 'episodes:is_success' ? [0, 1] : undefined} />
        ))}
      </div>
      <Figures told={told} />
      <Differences told={told} />
    </div>
  )
}

/** The figures of the table below; of seeds, their mean. */
function standing(key: string, told: Comparison, members: readonly { ids: string[] }[]): ChartProps['standing'] {
  const row = told.figures.find(({ name }) => key === `episodes:${name}`)
  if (!row) return undefined
  const values = members.map(({ ids }) => {
    const found = ids.flatMap((id) => row.values[told.rows.findIndex((each) => each.id === id)]?.mean ?? [])
    return found.length ? found.reduce((sum, mean) => sum + mean, 0) / found.length : null
  })
  return { values, says: t('lastEpisodes') }
}

/** One member for each group of runs that differ by their seed alone. */
function grouped(told: Comparison, short: (id: string) => string): { name: string; ids: string[]; ink: number }[] {
  const groups = Map.groupBy(told.rows, (_, i) => told.groups[i] as number)
  return [...groups].map(([group, rows]) => ({
    name: rows.length > 1 ? `${short(rows[0]?.id ?? '')} · ${t('seeds', { count: rows.length })}` : short(rows[0]?.id ?? ''),
    ids: rows.map((row) => row.id),
    ink: group,
  }))
}

function Chosen({ told, ids }: { told: Comparison; ids: string[] }) {
  const others = (runs.value ?? []).filter((row) => !ids.includes(row.id))
  const text = useSignal('')
  const add = (id: string) => {
    text.value = id
    if (!others.some((row) => row.id === id)) return
    text.value = ''
    setParams({ runs: [...ids, id].join() })
  }
  return (
    <ul class="chosen" aria-label={t('chosen')}>
      {told.rows.map((row, i) => (
        <li key={row.id}>
          <i style={{ background: colour(mode.value === 'bands' ? (told.groups[i] as number) : i) }} />
          <a href={href('live', row.id)}>{row.id}</a> <State state={row.state} />
          <button class="quiet" aria-label={t('remove', { run: row.id })} onClick={() => setParams({ runs: ids.filter((id) => id !== row.id).join() })}>×</button>
        </li>
      ))}
      {others.length > 0 && (
        <li>
          <input type="search" list="other-runs" value={text.value} placeholder={t('add')} aria-label={t('add')} onInput={(event) => add(event.currentTarget.value)} />
          <datalist id="other-runs">{others.map((row) => <option key={row.id} value={row.id} />)}</datalist>
        </li>
      )}
    </ul>
  )
}

function Figures({ told }: { told: Comparison }) {
  if (!told.figures.length) return null
  return (
    <section class="group">
      <h2>{t('figures')}</h2>
      <p class="muted">{t('figuresSays')}</p>
      <div class="scroll" tabIndex={0} role="region" aria-label={t('figures')}>
        <table>
          <thead><tr><th>{t('figure')}</th>{told.rows.map((row) => <th key={row.id} class="num">{row.id}</th>)}</tr></thead>
          <tbody>
            {told.figures.map((row) => (
              <tr key={row.name}>
                <td>{isCost(`episodes:${row.name}`) ? '−' : ''}{metric.maybe(`episodes:${row.name}`) ?? plainName(`episodes:${row.name}`)}</td>
                {row.values.map((value, i) => <td key={i} class="num"><Interval value={value} all={row.values} share={row.name === 'is_success'} /></td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function Interval({ value, all, share }: { value: Figure | null; all: readonly (Figure | null)[]; share: boolean }) {
  if (!value) return <>–</>
  const known = all.filter((each): each is Figure => each !== null)
  const low = Math.min(...known.map((each) => each.low))
  const span = Math.max(...known.map((each) => each.high)) - low || 1
  const left = ((value.low - low) / span) * 100
  const width = Math.max(1, ((value.high - value.low) / span) * 100)
  const text = share ? percent : figure
  return (
    <span class="interval">
      <b>{text(value.mean)}</b>
      <span class="whisker"><i style={{ left: `${left}%`, width: `${width}%` }} /></span>
      <small>{t('per', { half: text((value.high - value.low) / 2), n: value.n })}</small>
    </span>
  )
}

function Differences({ told }: { told: Comparison }) {
  if (told.rows.length < 2) return null
  if (!told.differs.length) return <p class="muted">{t('alike')}</p>
  return (
    <section class="group">
      <h2>{t('differs')}</h2>
      <p class="muted">{t('differsSays', { same: told.same })}</p>
      <div class="scroll" tabIndex={0} role="region" aria-label={t('differs')}>
        <table>
          <thead><tr><th>{t('setting')}</th>{told.rows.map((row) => <th key={row.id}>{row.id}</th>)}</tr></thead>
          <tbody>
            {told.differs.map((row) => (
              <tr key={row.key}>
                <td><code>{row.key}</code></td>
                {row.values.map((value, i) => <td key={i}>{value === null ? <span class="muted">{t('absent')}</span> : <code>{value}</code>}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}
