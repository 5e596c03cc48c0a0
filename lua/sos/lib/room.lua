-- Shared: what the room of an SOS hears, and its whole state. The hot scripts do without.

-- scope_attach and the location scripts do without; all others declare all nine.
local function all_keys()
  LOG, MEMBERS, STATE, LOCATION, TRACK, MESSAGES, EVENTS, OUTBOX = unpack(KEYS, 2, 9)
end

-- To the room, logged; returns id and args.
local function broadcast(event, data)
  local args = '["' .. event .. '",' .. data .. ']'
  return publish('* - - -\n' .. args), args
end

-- To the nodes that listen, never to sockets; logged, so that nobody misses it.
local function control(event, data)
  publish('! - - -\n["' .. event .. '",' .. data .. ']')
end

-- Leaves a copy for those who watch every SOS. If very many are pending, the list is full, and the sweep finds the rest.
local pending_ids
local function owe_body(id, body)
  pending_ids = pending_ids or call('HGET', META, 'wo') or ''
  put('w:' .. id, body)
  if #pending_ids < 16384 then
    pending_ids = pending_ids .. ' ' .. id
    put('wo', pending_ids)
  end
  owed = 1
end

-- The same for an event that those in this room have had.
local function owe(id, args)
  owe_body(id, args == '' and '' or '* @' .. SOS .. ' - -\n' .. args)
end

local function keep_all()
  keep(now, META, LOG, MEMBERS, STATE, LOCATION, TRACK, MESSAGES, EVENTS)
end
