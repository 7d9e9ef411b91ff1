using System.Globalization;
using Bellhop.Infrastructure.Secrets;

namespace Bellhop.Features.Audit;

/// <summary>Seals the head of a chain with the key ring: who only has the database can neither make nor move one.</summary>
/// <remarks>
/// The seal is authenticated encryption for the project's place, so that it fits no other project's chain. <c>secrets rotate</c>
/// seals heads anew as it does secrets, and an older key stays needed until it has.
/// </remarks>
internal sealed class ChainSeal(SecretBox box)
{
    internal static readonly SealedColumn Sealed = new("audit_heads", "seal", Sql.TakeSealed, Sql.PutSealed);

    public string Of(Guid projectId, ChainHead head) => box.Seal(Text(head), Place(projectId));

    /// <summary>Why the seal does not hold for this head; null: it does.</summary>
    public string? Refuses(Guid projectId, ChainHead head, string seal)
    {
        var opened = box.Open(seal, Place(projectId));
        return !opened.TryGetText(out var text)
            ? opened.Failure == OpenFailure.UnknownKey
                ? "the key that sealed the head is not in the key ring"
                : "the seal of the head is not one of the key ring's"
            : text != Text(head)
                ? "the head is not the one that was sealed"
                : null;
    }

    private static AssociatedData Place(Guid projectId) => Sealed.At(projectId, $"head {projectId}");

    private static string Text(ChainHead head) => string.Create(CultureInfo.InvariantCulture, $"{head.Seq}:{head.Hex}");

    private static class Sql
    {
        // by a text that comes after the one rotation starts from: the chain of what belongs to no project has the zero id
        public const string TakeSealed = """
            SELECT project_id, 'head ' || project_id AS id, ARRAY[seal] AS sealed
            FROM audit_heads
            WHERE ('head ' || project_id) COLLATE "C" > @AfterId::text AND split_part(seal, '.', 2) <> @Kid
            ORDER BY ('head ' || project_id) COLLATE "C"
            LIMIT @Take
            """;

        public const string PutSealed = """
            UPDATE audit_heads SET seal = (@After::text[])[1] WHERE project_id = @ProjectId AND seal = (@Before::text[])[1]
            """;
    }
}
