using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Secrets;

/// <summary>What became of the values of one column.</summary>
/// <param name="Resealed">Rows that the first key of the ring seals from now on.</param>
/// <param name="Overtaken">Rows that somebody else wrote meanwhile; what he wrote stays.</param>
/// <param name="Unreadable">Rows with a value that does not open, each with the reason.</param>
/// <param name="OnOlderKeys">Whether a row is left that an older key sealed.</param>
public sealed record ResealedColumn(
    string Column,
    int Resealed,
    int Overtaken,
    IReadOnlyList<string> Unreadable,
    bool OnOlderKeys
);

/// <summary>Seals the values of a column anew with the first key of the ring, while the service runs.</summary>
/// <remarks>
/// Rows come in batches of 100, each batch in its own transaction, in the order of their keys; a row changes only if it still
/// holds what was read, so a concurrent write wins. Rows on the first key are passed over: a run that was cut off is taken up by
/// the next.
/// </remarks>
internal sealed class Resealing(NpgsqlDataSource database, KeyRing ring, SecretBox box)
{
    private const int BatchSize = 100;

    // no row has the project of all zeros, so that every row comes after this one, whatever its key's type
    private static readonly SealedRow Start = new()
    {
        ProjectId = Guid.Empty,
        Id = $"{Guid.Empty:N}",
        Sealed = [],
    };

    public async Task<ResealedColumn> RunAsync(SealedColumn column, CancellationToken cancellationToken)
    {
        var unreadable = new List<string>();
        var (resealed, overtaken) = (0, 0);
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var last = Start;
        while (await TakeAsync(connection, column, last, cancellationToken) is { Count: > 0 } batch)
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            foreach (var row in batch)
            {
                if (Reseal(column, row, unreadable) is { } sealedAnew)
                {
                    var written = await connection.ExecuteAsync(
                        column.Put.With(
                            new
                            {
                                row.ProjectId,
                                row.Id,
                                Before = row.Sealed,
                                After = sealedAnew,
                            },
                            cancellationToken
                        )
                    );
                    (resealed, overtaken) = (resealed + written, overtaken + 1 - written);
                }
            }

            await transaction.CommitAsync(cancellationToken);
            last = batch[^1];
        }

        var isLeft = (await TakeAsync(connection, column, Start, cancellationToken)).Count > 0;
        return new ResealedColumn($"{column}", resealed, overtaken, unreadable, isLeft);
    }

    /// <summary>Notes that no row needs any key but the first, so that a ring without the others may be started with.</summary>
    public async Task RetireAsync(DateTime now, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(Sql.Retire.With(new { Kid = ring.Active.Id, Now = now }, cancellationToken));
    }

    private async Task<List<SealedRow>> TakeAsync(
        NpgsqlConnection connection,
        SealedColumn column,
        SealedRow after,
        CancellationToken cancellationToken
    )
    {
        var arguments = new
        {
            AfterProject = after.ProjectId,
            AfterId = after.Id,
            Kid = ring.Active.Id,
            Take = BatchSize,
        };
        return (await connection.QueryAsync<SealedRow>(column.Take.With(arguments, cancellationToken))).AsList();
    }

    private string[]? Reseal(SealedColumn column, SealedRow row, List<string> unreadable)
    {
        var place = column.At(row.ProjectId, row.Id);
        var sealedAnew = new string[row.Sealed.Length];
        for (var i = 0; i < sealedAnew.Length; i++)
        {
            var opened = box.Open(row.Sealed[i], place);
            if (!opened.TryGetBytes(out var value))
            {
                unreadable.Add($"{place}: {opened}");
                return null;
            }

            sealedAnew[i] = box.Seal(value, place);
        }

        return sealedAnew;
    }

    // not by constructor: Dapper cannot give an array to one
    private sealed record SealedRow
    {
        public required Guid ProjectId { get; init; }

        public required string Id { get; init; }

        public required string[] Sealed { get; init; }
    }

    private static class Sql
    {
        public const string Retire = """
            UPDATE key_ring_ids SET retired_at = @Now WHERE kid <> @Kid AND retired_at IS NULL
            """;
    }
}
