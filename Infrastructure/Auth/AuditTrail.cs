using System.Buffers.Binary;
using System.Net;
using System.Text.Json;
using Bellhop.Infrastructure.Http;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Infrastructure.Auth;

/// <summary>A change of the control plane, as it is recorded.</summary>
/// <param name="Action">The folder of the API and what was done: <c>connections.update</c>.</param>
/// <param name="Target">What it was done to: <c>connections/crm</c>.</param>
/// <param name="Before">As it was shown before, without secrets; null: it was not there, or nothing of it is shown.</param>
/// <param name="After">As it is shown afterwards.</param>
public sealed record AuditRecord(
    string Action,
    string Target,
    Guid? TargetId,
    object? Before = null,
    object? After = null
);

/// <summary>Puts on record what the caller changed, in the transaction of the change: the one is never there without the other.</summary>
/// <remarks>Nothing in a record may be secret; what would be is left out or stands as <c>***</c>. Records are never changed.</remarks>
public sealed class AuditTrail(Caller caller, TimeProvider clock)
{
    // the milliseconds of the last id and how many were made in them; written and read by whoever makes one
    private static long _last;

    /// <summary>Records a change in the caller's project.</summary>
    public Task RecordAsync(NpgsqlConnection connection, AuditRecord record, CancellationToken cancellationToken) =>
        RecordAsync(connection, [caller.ProjectId], caller.Actor, caller.Id, caller.Method, record, cancellationToken);

    /// <summary>Records something in each of these projects, by somebody who need not be proven.</summary>
    public async Task RecordAsync(
        NpgsqlConnection connection,
        IReadOnlyCollection<Guid> projects,
        string actor,
        Guid? actorId,
        string method,
        AuditRecord record,
        CancellationToken cancellationToken
    )
    {
        var now = clock.GetUtcNow();
        foreach (var project in projects)
        {
            await using var insert = new NpgsqlCommand(Sql.Insert, connection)
            {
                Parameters =
                {
                    new("ProjectId", project),
                    new("Id", NextId(now)),
                    new("At", now.UtcDateTime),
                    new("Actor", actor),
                    new("ActorId", NpgsqlDbType.Uuid) { Value = (object?)actorId ?? DBNull.Value },
                    new("Method", method),
                    new("Address", NpgsqlDbType.Inet) { Value = (object?)Plain(caller.Address) ?? DBNull.Value },
                    new("RequestId", NpgsqlDbType.Text) { Value = (object?)caller.RequestId ?? DBNull.Value },
                    new("Action", record.Action),
                    new("Target", record.Target),
                    new("TargetId", NpgsqlDbType.Uuid) { Value = (object?)record.TargetId ?? DBNull.Value },
                    new("Before", NpgsqlDbType.Json) { Value = Json(record.Before) },
                    new("After", NpgsqlDbType.Json) { Value = Json(record.After) },
                },
            };
            await insert.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private static IPAddress? Plain(IPAddress? address) =>
        address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;

    /// <summary>Ids of one process are in the order in which they were made, also within a millisecond (RFC 9562 section 6.2, method 1).</summary>
    private static Guid NextId(DateTimeOffset now)
    {
        const int Count = 12; // bits, after those of the version
        var first = now.ToUnixTimeMilliseconds() << Count;
        long last,
            next;
        do
        {
            last = Volatile.Read(ref _last);
            next = last >> Count == first >> Count ? last + 1 : first;
        } while (Interlocked.CompareExchange(ref _last, next, last) != last);

        Span<byte> bytes = stackalloc byte[16];
        Guid.CreateVersion7(DateTimeOffset.FromUnixTimeMilliseconds(next >> Count))
            .TryWriteBytes(bytes, bigEndian: true, out _);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[6..], (ushort)(0x7000 | (next & 0xFFF)));
        return new Guid(bytes, bigEndian: true);
    }

    private static object Json(object? value) =>
        value is null ? DBNull.Value : JsonSerializer.Serialize(value, value.GetType(), JsonRules.Options);

    private static class Sql
    {
        public const string Insert = """
            INSERT INTO audit_entries (
                project_id, id, at, actor, actor_id, method, address, request_id, action, target, target_id, before, after
            )
            VALUES (
                @ProjectId, @Id, @At, @Actor, @ActorId, @Method, @Address, @RequestId, @Action, @Target, @TargetId, @Before, @After
            )
            """;
    }
}
