#!lua flags=allow-oom
-- Remove results that are exactly so: key (32), epoch (8), digest (8) each.
-- KEYS: meta heads sizes   ARGV: run shift wanted
-- Returns {how many, entries with their key whose payload is elsewhere}.
if restarted() then return 'RESTARTED' end
local wanted, gone, count, total = ARGV[3], {}, 0, 0
for i = 0, #wanted / 48 - 1 do
  local key = sub(wanted, i * 48 + 1, i * 48 + 32)
  local old = call('HGET', KEYS[2], key)
  if old and sub(old, 1, 8) .. sub(old, 17, 24) == sub(wanted, i * 48 + 33, i * 48 + 48) then
    call('HDEL', KEYS[2], key)
    count = count + 1
    total = total + number(sub(old, 9, 16))
    if string.byte(old, 60) ~= 0 then gone[#gone + 1] = key .. old end
  end
end
if total ~= 0 then call('HINCRBY', KEYS[3], 'bytes', -total) end
return {count, gone}
