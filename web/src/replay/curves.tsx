/** The columns beside the robot; those that nobody opens are never fetched. */
import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import type { Episode, FieldTold } from './episode'
import { torqueLimit } from './fall'
import { colourOf, Plot, type Curve } from './plot'
import type { Player } from './player'
import { t } from './replay-words'
import { HINGE, SLIDE, type Scene } from './scene'
import type { Loaded } from './source'

interface Props {
  loaded: Loaded
  player: Player
}

/** One component of a column at every frame; NaN before the first step. */
function series(episode: Episode, name: string, component: number): Float64Array {
  return Float64Array.from({ length: episode.frames }, (_, f) => episode.value(name, f, component))
}

export function Curves({ loaded, player }: Props) {
  const { episode } = loaded
  const has = (name: string) => episode.facts.fields.find((field) => field.name === name)
  const told = new Set(['reward', 'qpos', 'qvel', 'torque', 'actuator_force', 'action', 'ctrl'])
  const torque = has('torque') ?? has('actuator_force')
  const rest = episode.facts.fields.filter(({ name }) => !told.has(name) && !/^(reward|cost)_component\./.test(name))
  return (
    <div class="curves">
      <Rewards loaded={loaded} player={player} />
      {episode.qpos && loaded.scene && <Joints loaded={loaded} player={player} />}
      {has('qvel') && <Folded title={t('velocities')}><Column loaded={loaded} player={player} field={has('qvel')!} labels={dofLabels(loaded.scene, has('qvel')!)} skip={freeDofs(loaded.scene)} /></Folded>}
      {torque && <Folded title={t('torques')}><Column loaded={loaded} player={player} field={torque} limits={(i) => loaded.scene && symmetric(torqueLimit(loaded.scene, i, torque.name))} /></Folded>}
      {has('action') && <Folded title={t('actions')}><Column loaded={loaded} player={player} field={has('action')!} labels={has('ctrl')?.labels ?? []} /></Folded>}
      {has('obs') && <Folded title={t('obs')}><Column loaded={loaded} player={player} field={has('obs')!} /></Folded>}
      {has('value') && <Folded title={t('value')}><Column loaded={loaded} player={player} field={has('value')!} /></Folded>}
      {rest.length > 0 && <Folded title={t('others')}><Others loaded={loaded} player={player} fields={rest} /></Folded>}
    </div>
  )
}

const symmetric = (limit: number | null): [number, number] | null => (limit === null ? null : [-limit, limit])

function Rewards({ loaded: { episode }, player }: Props) {
  const parts = [...episode.columns.keys()].filter((name) => /^(reward|cost)_component\./.test(name))
  const curves: Curve[] = parts.map((name, i) => {
    const values = series(episode, name, 0)
    const cost = name.startsWith('cost')
    return { name: `${cost ? '−' : ''}${name.slice(name.indexOf('.') + 1)}`, values: cost ? values.map((value) => -value) : values, colour: colourOf(i) }
  })
  if (episode.columns.has('reward')) curves.push({ name: t('reward'), values: series(episode, 'reward', 0), colour: 'currentcolor', width: 1.8 })
  const lively = curves.filter(({ values }) => values.some((value) => Math.abs(value) > 1e-9))
  const ink = typeof document === 'undefined' ? '#000' : getComputedStyle(document.body).color
  return <Plot label={t('rewards')} unit="" times={episode.times} curves={lively.map((curve) => (curve.colour === 'currentcolor' ? { ...curve, colour: ink } : curve))} player={player} height={168} />
}

function Joints({ loaded, player }: Props) {
  const { episode, scene } = loaded
  const joints = scene!.joints.filter((joint) => joint.type === HINGE || joint.type === SLIDE)
  if (!joints.length) return null
  const field: FieldTold = { name: 'qpos', unit: joints.every((joint) => joint.type === HINGE) ? 'rad' : 'rad, m', shape: [episode.qpos!.width], description: '', labels: [] }
  const labels: string[] = []
  for (const joint of joints) labels[joint.qpos] = joint.name
  const byPlace = new Map(joints.map((joint) => [joint.qpos, joint]))
  return (
    <Folded title={t('positions')} open>
      <Column loaded={loaded} player={player} field={field} labels={labels} skip={(i) => !byPlace.has(i)} limits={(i) => byPlace.get(i)?.range ?? null} />
    </Folded>
  )
}

function Folded({ title, open = false, children }: { title: string; open?: boolean; children: ComponentChildren }) {
  const opened = useSignal(open)
  return (
    <details open={opened.value} onToggle={(event) => (opened.value = event.currentTarget.open)}>
      <summary>{title}</summary>
      {opened.value && children}
    </details>
  )
}

interface ColumnProps extends Props {
  field: FieldTold
  labels?: string[]
  skip?: (i: number) => boolean
  limits?: (i: number) => [number, number] | null
}

/** A column's components, one limb at a time where their names say which limb they are of. */
function Column({ loaded, player, field, labels, skip, limits }: ColumnProps) {
  const { episode } = loaded
  const here = useSignal(episode.columns.has(field.name))
  const limb = useSignal('')
  useEffect(() => {
    here.value = episode.columns.has(field.name)
    if (!here.value) void loaded.more([field.name]).then(() => (here.value = true))
  }, [loaded, field.name])
  if (!here.value || !episode.columns.has(field.name)) return <p class="waiting">{t('loading')}</p>
  const width = episode.columns.get(field.name)!.width
  const named = Array.from({ length: width }, (_, i) => labels?.[i] || field.labels[i] || (width > 1 ? String(i) : field.name))
  const all = named.map((name, i) => ({ name, i })).filter(({ i }) => !skip?.(i))
  const limbs = [...new Set(all.map(({ name }) => limbOf(name)))]
  const grouped = limbs.length > 1 && limbs.length < all.length
  const chosen = grouped && limb.value ? all.filter(({ name }) => limbOf(name) === limb.value) : all
  const curves = chosen.map(({ name, i }, k) => ({ name: grouped && limb.value ? name.slice(limb.value.length + 1) : name, values: series(episode, field.name, i), colour: colourOf(chosen.length > 4 ? all.findIndex((each) => each.i === i) : k) }))
  // With every limb shown the lines of all limits would hide the curves.
  const levels = chosen.length > 4 ? [] : chosen.flatMap(({ i }, k) => (limits?.(i) ?? []).map((at) => ({ at, colour: colourOf(k) })))
  return (
    <>
      {grouped && (
        <div class="limbs" role="group" aria-label={t('limb')}>
          {['', ...limbs].map((each) => (
            <button key={each} class="quiet" aria-pressed={limb.value === each} onClick={() => (limb.value = each)}>{each || t('all')}</button>
          ))}
        </div>
      )}
      <Plot key={`${limb.value}${field.name}`} label={grouped && limb.value ? `${limb.value}` : field.name} unit={field.unit} times={episode.times} curves={curves} levels={levels} player={player} />
    </>
  )
}

const limbOf = (name: string): string => name.split(/[_ .-]/)[0] ?? name

function Others({ loaded, player, fields }: Props & { fields: FieldTold[] }) {
  const name = useSignal(fields[0]!.name)
  const field = fields.find((each) => each.name === name.value) ?? fields[0]!
  return (
    <>
      <label class="pick">{t('column')} <select value={field.name} onChange={(event) => (name.value = event.currentTarget.value)}>
        {fields.map((each) => <option key={each.name}>{each.name}</option>)}
      </select></label>
      <Column key={field.name} loaded={loaded} player={player} field={field} />
    </>
  )
}

/** Names of the velocities: those of hinges and slides have one each. */
function dofLabels(scene: Scene | null, field: FieldTold): string[] {
  if (!scene) return field.labels
  return scene.joints.flatMap(({ name, type }) => (type === HINGE || type === SLIDE ? [name] : Array.from({ length: type === 0 ? 6 : 3 }, (_, i) => `${name}.${i}`)))
}

function freeDofs(scene: Scene | null): (i: number) => boolean {
  const widths = scene?.joints.map(({ type }) => (type === 0 ? 6 : type === 1 ? 3 : 1)) ?? []
  const skipped = new Set<number>()
  let at = 0
  widths.forEach((width) => {
    if (width > 1) for (let i = 0; i < width; i++) skipped.add(at + i)
    at += width
  })
  return skipped.size < at ? (i) => skipped.has(i) : () => false
}
