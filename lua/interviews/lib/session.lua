-- Shared by the scripts of a live interview. After the six of scope/lib/scope ARGV goes on with
--   7 user key of the candidate (base64url; '' the hub acts)   8 its socket ('' none)
-- KEYS 1 scope:meta   2 scope:log   3 scope:members   4 interview:session   5 interview:log   6 interview:audio   7 scope:due
-- Answers begin { outcome, heard or -1, listeners, time, duplicate, … }. The refusals missing (no live state), ended,
-- superseded (another socket is the candidate's) and not_active end there. Needs scope/lib/scope, log, due and interviews/lib/iso.
--
-- interview:session, a hash:
--   id state rev created started ended (ms) · summary ('1': interview-completed went out)
--   sid (the candidate's present socket) user uk (user key) name (JSON) joined (ms) · lost (ms: since then sid is lost) ·
--   hb (ms: its last heartbeat) hl (ms: it is gone so long after that)
--   pos (of the question that is open, from 1) total asked (JSON) qid (its id) askt (ms) progress (JSON) · q:<question id> → position
--   aq at au aa cut: the answer that is being finished: question id, transcription, audioUrl, ms, last entry of its audio
--   lq lt lu: the answer before: question id, transcription, audioUrl
--   heard (id in interview:audio up to which there is final text) from (id behind which the audio of the open question
--   begins) · ts to: the speech stream that counts, and its last turn · t:<n> (JSON of a final turn) for n from tf to tn; from
--   tx on they belong to the next question
--   am an: ms of audio of the open question, and of the one after it · rc ra: until when the rates of chunks and of audio are used up
--   faces tabs fullscreen suspicious trust · what begins with p, but for pos and progress: see proctor_take · stt storage ('down' while that is told)

LOG, MEMBERS = KEYS[2], KEYS[3]
local SESSION, TRAIL, AUDIO = KEYS[4], KEYS[5], KEYS[6]
local USER, SID = ARGV[7], ARGV[8]
local DUPLICATE = 5 -- its place in an answer
local CANDIDATE, OBSERVER, BOTH = 'r:candidate', 'r:observer', 'r:candidate,observer'
local FINAL = { completed = true, expired = true, cancelled = true }
local TRAIL_MOST = 20000 -- entries of interview:log

local state, rev, present, pos, total, answering, beat, patience, lost
local changes, removals = {}, {} -- of interview:session
local due_in = -1                -- ms until the earliest timer that this call has set

local function load()
  local f = call('HMGET', SESSION, 'state', 'rev', 'sid', 'pos', 'total', 'aq', 'hb', 'hl', 'lost')
  state, rev, present, answering = f[1], tonumber(f[2] or 0), f[3] or '', f[6]
  pos, total, beat, patience, lost = tonumber(f[4] or 0), tonumber(f[5] or 0), tonumber(f[7]), tonumber(f[8] or 0), tonumber(f[9])
end

local function set(field, value)
  changes[#changes + 1] = field
  changes[#changes + 1] = value
end

local function remove(field) removals[#removals + 1] = field end

local function save()
  if #changes > 0 then call('HSET', SESSION, unpack(changes)) end
  if #removals > 0 then call('HDEL', SESSION, unpack(removals)) end
  changes, removals = {}, {}
end

local function move(to)
  state, rev = to, rev + 1
  set('state', to)
  set('rev', rev)
end

local function noted_due(left)
  if left >= 0 and (due_in < 0 or left < due_in) then due_in = left end
end

-- Sets a timer, in place of the moment to which it was set.
local function arm(row, at) noted_due(due_at(row, at)) end

-- Sets a timer, unless it is set to an earlier moment.
local function arm_by(row, at) noted_due(due_by(row, at)) end

-- Something is to be done for this interview besides answering: if nobody does it, the timer says so.
local function work() arm_by('work', now + 5000) end

-- Fields of a JSON object, and the timestamp.
local function stamped(fields)
  return '{' .. fields .. (fields == '' and '' or ',') .. '"timestamp":"' .. iso(now) .. '"}'
end

-- Publishes an event to some roles, logged. Returns its id.
local function tell(audience, event, data)
  return publish(audience .. ' - - -\n["' .. event .. '",' .. data .. ']')
end

-- The same to those who observe, and kept in interview:log under the id that it has in the scope's log.
local function observed(event, data, audience)
  local id = tell(audience or OBSERVER, event, data)
  local entry = { 'e', event, 'd', data, 't', now }
  -- A log that has begun anew may be behind what is kept here.
  local added = redis.pcall('XADD', TRAIL, 'MAXLEN', '~', TRAIL_MOST, id, unpack(entry))
  if type(added) == 'table' and added.err then call('XADD', TRAIL, 'MAXLEN', '~', TRAIL_MOST, '*', unpack(entry)) end
end

-- The candidate gives a sign of life: its time without a heartbeat begins anew, if it sends any.
local function alive()
  if not beat then return end
  beat = now
  set('hb', now)
  arm_by('heartbeat', now + patience)
end

-- An event of the candidate makes a session active that is paused.
local function resume()
  if state ~= 'paused' then return false end
  move('active')
  alive()
  return true
end

-- The candidate is gone.
local function pause(reason)
  if state ~= 'active' then return false end
  move('paused')
  observed('interview-interrupted', stamped('"reason":"' .. reason .. '"'))
  return true
end

-- What stands in the way of an event of the candidate's socket.
local function refusal()
  if not state then return 'missing' end
  if FINAL[state] then return 'ended' end
  if present ~= SID then return 'superseded' end
end

local function answer(outcome, ...)
  return { outcome, least, listeners, now, 0, ... }
end

-- Ends a write that had an effect. `least` and `listeners` are those of what was published until here.
local function done(outcome, ...)
  local result = answer(outcome, ...)
  save()
  keep(now, META, LOG, MEMBERS, SESSION, TRAIL, AUDIO)
  remember(result, USER, true)
  commit()
  return result
end

-- Ends a write that had none.
local function refuse(outcome, ...)
  local result = answer(outcome, ...)
  if epoch then
    remember(result, USER, false)
    commit()
  end
  return result
end

local FIELDS = { 'id', 'state', 'rev', 'created', 'started', 'ended', 'sid', 'user', 'lost', 'hb', 'pos', 'total', 'asked', 'progress',
  'aq', 'at', 'au', 'aa', 'cut', 'heard', 'from', 'faces', 'tabs', 'fullscreen', 'suspicious', 'trust', 'stt', 'storage', 'summary' }

-- The answer with the session as it is now behind it: its fields in the order of FIELDS, '' those that it lacks; an empty list if
-- there is none.
local function with_session(result)
  local fields = call('HMGET', SESSION, unpack(FIELDS))
  local list = {}
  if fields[1] then
    for i = 1, #FIELDS do list[i] = fields[i] or '' end
  end
  result[#result + 1] = list
  return result
end
