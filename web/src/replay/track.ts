/** What follows from an episode's states, computed once: where feet, trunk and centre of mass are in every frame. */
import type { Episode } from './episode'
import { centreOfMass, forward, newPose, pointOf, rotate, type Mocap, type Pose } from './kinematics'
import { CAPSULE, CYLINDER, FREE, MESH, type Scene } from './scene'

export interface Track {
  frames: number
  /** Of the body that carries the robot: the first free joint's, else the first that moves. */
  root: number
  rootPos: Float32Array
  /** Velocity of the root in the world, m/s. */
  velocity: Float32Array
  /** Where ahead is, a unit vector in the ground plane. */
  heading: Float32Array
  /** Cosine of the root's tilt. */
  upright: Float32Array
  centre: Float32Array
  /** By foot, positions in every frame. */
  feet: Float32Array[]
  /** Height of the ground below the feet. */
  ground: number
  /** Mass of everything that moves with the root, kg. */
  mass: number
}

export function poseAt(scene: Scene, episode: Episode, frame: number, pose: Pose): void {
  const qpos = episode.qpos
  if (!qpos) return
  forward(scene, qpos.values, frame * qpos.width, pose, mocapAt(episode, frame))
}

function mocapAt(episode: Episode, frame: number): Mocap | undefined {
  const [pos, quat] = [episode.columns.get('mocap_pos'), episode.columns.get('mocap_quat')]
  if (!pos || !quat) return undefined
  // Nobody recorded where they were before the first step.
  const row = Math.max(0, frame - (episode.frames - pos.count))
  const bodies = pos.width / 3
  return { pos: pos.values.subarray(row * pos.width), quat: quat.values.subarray(row * bodies * 4), at: 0 }
}

/** Which way is up in the root's frame: as the episode's limits tell it, else z. */
export const upAxis = (episode: Episode): number[] =>
  episode.facts.limits.find((limit) => limit.axis)?.axis ?? [0, 0, 1]

export function rootOf(scene: Scene): number {
  const free = scene.joints.find((joint) => joint.type === FREE)
  return free?.body ?? scene.joints[0]?.body ?? 0
}

const sizes = new WeakMap<Scene, number>()

/** How large the robot is, m, somewhat less than from end to end; what lies around it, such as hills, does not count. */
export function sizeOf(scene: Scene): number {
  const known = sizes.get(scene)
  if (known !== undefined) return known
  const pose = newPose(scene)
  forward(scene, scene.qpos0, 0, pose)
  const top = (body: number): number => (scene.bodies[body]!.parent > 0 ? top(scene.bodies[body]!.parent) : body)
  const own = top(rootOf(scene))
  const at = new Float64Array(3)
  const [low, high] = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]]
  for (const geom of scene.geoms) {
    if (geom.body === 0 || top(geom.body) !== own) continue
    pointOf(at, pose, geom.body, geom.pos)
    const half = geom.type === CAPSULE || geom.type === CYLINDER ? geom.size[1]! : geom.type === MESH ? 0 : Math.max(...geom.size)
    for (let i = 0; i < 3; i++) {
      low[i] = Math.min(low[i]!, at[i]! - half)
      high[i] = Math.max(high[i]!, at[i]! + half)
    }
  }
  const found = Math.hypot(...high.map((value, i) => value - low[i]!))
  // MuJoCo's own measure holds where nothing moves.
  const size = Number.isFinite(found) && found > 0 ? 0.94 * found : scene.extent
  sizes.set(scene, size)
  return size
}

export function track(scene: Scene, episode: Episode): Track {
  const frames = episode.qpos ? episode.frames : 0
  const pose = newPose(scene)
  const root = rootOf(scene)
  const up = upAxis(episode)
  const ahead = [-up[2]! * -1, 0, -up[0]!] // left × up, left being y
  const feet = episode.facts.feet.filter((foot) => foot.geom >= 0)
  const made: Track = {
    frames,
    root,
    rootPos: new Float32Array(frames * 3),
    velocity: new Float32Array(frames * 3),
    heading: new Float32Array(frames * 3),
    upright: new Float32Array(frames),
    centre: new Float32Array(frames * 3),
    feet: feet.map(() => new Float32Array(frames * 3)),
    ground: 0,
    mass: scene.bodies.reduce((sum, body) => sum + body.mass, 0),
  }
  const v = new Float64Array(3)
  for (let f = 0; f < frames; f++) {
    poseAt(scene, episode, f, pose)
    for (let i = 0; i < 3; i++) made.rootPos[f * 3 + i] = pose.xpos[root * 3 + i]!
    made.upright[f] = rotate(v, pose.xquat, root * 4, up, 0)[2]!
    rotate(v, pose.xquat, root * 4, ahead, 0)
    const length = Math.hypot(v[0]!, v[1]!) || 1
    made.heading[f * 3] = v[0]! / length
    made.heading[f * 3 + 1] = v[1]! / length
    made.centre.set(centreOfMass(v, scene, pose), f * 3)
    feet.forEach((foot, k) => {
      const geom = scene.geoms[foot.geom]!
      made.feet[k]!.set(pointOf(v, pose, geom.body, geom.pos), f * 3)
    })
  }
  differentiate(made.rootPos, episode.times, made.velocity)
  made.ground = groundBelow(scene, episode, made)
  return made
}

function differentiate(from: Float32Array, times: Float64Array, out: Float32Array): void {
  const frames = from.length / 3
  for (let f = 0; f < frames; f++) {
    const [a, b] = [Math.max(0, f - 1), Math.min(frames - 1, f + 1)]
    const dt = times[b]! - times[a]! || 1
    for (let i = 0; i < 3; i++) out[f * 3 + i] = (from[b * 3 + i]! - from[a * 3 + i]!) / dt
  }
}

function groundBelow(scene: Scene, episode: Episode, made: Track): number {
  const plane = scene.geoms.find((geom) => geom.type === 0 && geom.body === 0)
  if (plane) return plane.pos[2]!
  const radius = scene.geoms[episode.facts.feet.find((foot) => foot.geom >= 0)?.geom ?? -1]?.size[0] ?? 0
  let lowest = Infinity
  for (const foot of made.feet) for (let i = 2; i < foot.length; i += 3) lowest = Math.min(lowest, foot[i]!)
  return Number.isFinite(lowest) ? lowest - radius : 0
}

/** Velocity of the root over ground where it looks: ahead and to the left, m/s. */
export function speedAt({ velocity, heading }: Track, frame: number): [number, number] {
  const i = 3 * frame
  const [vx, vy, hx, hy] = [velocity[i]!, velocity[i + 1]!, heading[i]!, heading[i + 1]!]
  return [vx * hx + vy * hy, vy * hx - vx * hy]
}

/** Newtons on a foot in a frame; NaN where nothing was recorded. */
export function footForce(episode: Episode, k: number, frame: number): number {
  const foot = episode.facts.feet[k]
  return foot ? episode.value(foot.field, frame, foot.column) : NaN
}

/** Whether a foot stands: as recorded, else where it carries more than a newton. */
export function stands(episode: Episode, k: number, frame: number): boolean {
  const contact = episode.columns.get('foot_contact')
  const foot = episode.facts.feet[k]
  if (contact && foot && foot.column < contact.width) return episode.value('foot_contact', frame, foot.column) > 0.5
  return footForce(episode, k, frame) > 1
}

/** Corners of the smallest convex shape around points (x, y), in order. */
export function hull(points: [number, number][]): [number, number][] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1])
  if (sorted.length < 3) return sorted
  const cross = (o: [number, number], a: [number, number], b: [number, number]) =>
    (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])
  const half = (from: [number, number][]) => {
    const chain: [number, number][] = []
    for (const point of from) {
      while (chain.length > 1 && cross(chain.at(-2)!, chain.at(-1)!, point) <= 0) chain.pop()
      chain.push(point)
    }
    return chain.slice(0, -1)
  }
  return [...half(sorted), ...half(sorted.reverse())]
}
