/** Why an episode ended: which quantities crossed their limits in its last half second, and in which order. */
import type { Episode } from './episode'
import type { Scene } from './scene'
import type { Track } from './track'

export const LAST_S = 0.5
/** A motor is at its limit from this part of it on. */
const SATURATED = 0.985

export interface Quantity {
  kind: 'limit' | 'torque' | 'range'
  name: string
  unit: string
  times: number[]
  values: number[]
  low: number | null
  high: number | null
  /** Seconds before the end at which it was first beyond a limit; null: never. */
  crossed: number | null
}

interface Source {
  kind: Quantity['kind']
  name: string
  unit: string
  low: number | null
  high: number | null
  at: (frame: number) => number
}

/** Every quantity with a limit: those that end an episode first, then those that crossed, earliest first. */
export function quantities(episode: Episode, scene: Scene | null, made: Track | null): Quantity[] {
  const end = episode.duration
  const frames = Array.from(episode.times.keys()).filter((f) => episode.times[f]! >= end - LAST_S - 1e-9)
  const sources = [...limitsOf(episode, made), ...(scene ? [...torquesOf(episode, scene), ...rangesOf(episode, scene)] : [])]
  const found = sources.map((source): Quantity => {
    const values = frames.map(source.at)
    const first = values.findIndex((value) => beyond(source, value))
    return {
      kind: source.kind,
      name: source.name,
      unit: source.unit,
      low: source.low,
      high: source.high,
      times: frames.map((f) => episode.times[f]! - end),
      values,
      crossed: first < 0 ? null : end - episode.times[frames[first]!]!,
    }
  })
  const kept = found.filter(({ kind, crossed }) => kind === 'limit' || crossed !== null)
  return kept.sort((a, b) => (b.crossed ?? -1) - (a.crossed ?? -1))
}

/** Which limit of those that end an episode is crossed first, and when, s; null: none is. */
export function firstBeyond(episode: Episode, made: Track | null): { name: string; s: number } | null {
  const sources = limitsOf(episode, made)
  for (let frame = 0; frame < episode.frames; frame++) {
    const found = sources.find((source) => beyond(source, source.at(frame)))
    if (found) return { name: found.name, s: episode.times[frame]! }
  }
  return null
}

const beyond = ({ low, high }: Source, value: number): boolean => (low !== null && value < low) || (high !== null && value > high)

function limitsOf(episode: Episode, made: Track | null): Source[] {
  return episode.facts.limits.flatMap((limit): Source[] => {
    const told = { kind: 'limit' as const, name: limit.name, unit: limit.unit, low: limit.low ?? null, high: limit.high ?? null }
    if (limit.qpos !== undefined) return [{ ...told, at: (f) => episode.value('qpos', f, limit.qpos) }]
    return made?.frames ? [{ ...told, at: (f) => made.upright[f]! }] : []
  })
}

function torquesOf(episode: Episode, scene: Scene): Source[] {
  const name = ['torque', 'actuator_force'].find((each) => episode.columns.has(each))
  if (!name) return []
  return scene.actuators.flatMap((actuator, i): Source[] => {
    const limit = torqueLimit(scene, i, name)
    if (limit === null) return []
    const most = SATURATED * limit
    return [{ kind: 'torque', name: actuator.name, unit: 'N m', low: -most, high: most, at: (f) => episode.value(name, f, i) }]
  })
}

/** The largest magnitude that an actuator's recorded force can have. */
export function torqueLimit(scene: Scene, i: number, column: string): number | null {
  const actuator = scene.actuators[i]
  if (!actuator || actuator.limit === null) return null
  return column === 'torque' ? actuator.limit * Math.abs(actuator.gear) : actuator.limit
}

function rangesOf(episode: Episode, scene: Scene): Source[] {
  if (!episode.qpos) return []
  return scene.joints.flatMap((joint): Source[] => {
    if (!joint.range || joint.type < 2) return []
    const [low, high] = joint.range
    return [{ kind: 'range', name: joint.name, unit: joint.type === 3 ? 'rad' : 'm', low, high, at: (f) => episode.value('qpos', f, joint.qpos) }]
  })
}
