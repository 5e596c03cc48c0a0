-- Shared: what the room of an SOS hears. The location scripts, which run most often, do without it.

-- The nine keys. The location scripts and those that only read declare fewer.
local function all_keys()
  LOG, MEMBERS, STATE, LOCATION, TRACK, MESSAGES, EVENTS, OUTBOX = unpack(KEYS, 2, 9)
end

-- To the room, logged; returns id and args.
local function broadcast(event, data)
  local args = '["' .. event .. '",' .. data .. ']'
  return publish('* - - -\n' .. args), args
end

-- To the nodes that listen, never to sockets; logged, so that no node misses it.
local function control(event, data)
  publish('! - - -\n["' .. event .. '",' .. data .. ']')
end

-- Presence is announced here, also where the release before has made scope:meta.
noted = true

-- Leaves a copy for those who watch every SOS. If very many wait, the list is full, and the sweep finds the rest.
local pending_ids
local function copy_for_watchers(id, body)
  pending_ids = pending_ids or call('HGET', META, 'wo') or ''
  put('w:' .. id, body)
  if #pending_ids < 16384 then
    pending_ids = pending_ids .. ' ' .. id
    put('wo', pending_ids)
  end
  copies = 1
end

-- The same for an event that the members of this room have had: it is not sent to them twice.
local function tell_watchers(id, args)
  copy_for_watchers(id, args == '' and '' or '* @' .. SOS .. ' - -\n' .. args)
end

local function keep_all()
  keep(now, META, LOG, MEMBERS, STATE, LOCATION, TRACK, MESSAGES, EVENTS)
end
