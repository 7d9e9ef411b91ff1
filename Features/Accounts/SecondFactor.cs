using System.Security.Cryptography;
using System.Text;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Takes the code of a user's authenticator, or one of his recovery codes; each once.</summary>
/// <remarks>Of two who send the same code at the same time one is taken: the database decides.</remarks>
internal sealed class SecondFactor(SecretBox box, TimeProvider clock)
{
    public const int MaxLength = 40;
    public const int RecoveryCodes = 10;

    public static readonly SealedColumn Sealed = new("users", "totp_secret", Sql.TakeSealed, Sql.PutSealed);

    private const int RecoveryLength = 16;

    // no letter that is taken for another one (Crockford); 80 bits, of which nothing is guessed
    private const string RecoveryAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";

    public string Seal(Guid userId, byte[] secret) => box.Seal(secret, PlaceOf(userId));

    public byte[] Open(Guid userId, string sealedSecret) =>
        box.Open(sealedSecret, PlaceOf(userId)) is var opened && opened.TryGetBytes(out var secret)
            ? secret
            : throw new InvalidOperationException($"A second factor does not open: {opened}.");

    /// <summary>Whether the code was right, and was not taken before.</summary>
    public async Task<bool> TakeAsync(
        NpgsqlConnection connection,
        Guid userId,
        string sealedSecret,
        string code,
        CancellationToken cancellationToken
    )
    {
        var plain = code.Replace(" ", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal);
        var now = clock.GetUtcNow();
        if (plain.Length == Totp.Digits)
        {
            return Totp.StepOf(Open(userId, sealedSecret), plain, now) is { } step
                && await connection.ExecuteAsync(
                    Sql.TakeStep.With(new { UserId = userId, Step = step }, cancellationToken)
                ) == 1;
        }

        var arguments = new
        {
            UserId = userId,
            CodeSha256 = Sha256Of(plain),
            Now = now.UtcDateTime,
        };
        return await connection.ExecuteAsync(Sql.TakeRecovery.With(arguments, cancellationToken)) == 1;
    }

    /// <summary>Gives the user new recovery codes; those of before are worth nothing. They are not to be had again.</summary>
    public static async Task<IReadOnlyList<string>> RenewRecoveryAsync(
        NpgsqlConnection connection,
        Guid userId,
        CancellationToken cancellationToken
    )
    {
        var codes = Enumerable
            .Range(0, RecoveryCodes)
            .Select(_ => RandomNumberGenerator.GetString(RecoveryAlphabet, RecoveryLength))
            .ToArray();
        await connection.ExecuteAsync(Sql.ForgetRecovery.With(new { UserId = userId }, cancellationToken));
        await connection.ExecuteAsync(
            Sql.AddRecovery.With(
                new { UserId = userId, CodeSha256s = codes.Select(Sha256Of).ToArray() },
                cancellationToken
            )
        );
        return [.. codes.Select(code => string.Join('-', code.Chunk(4).Select(part => new string(part))))];
    }

    public static Task ForgetRecoveryAsync(
        NpgsqlConnection connection,
        Guid userId,
        CancellationToken cancellationToken
    ) => connection.ExecuteAsync(Sql.ForgetRecovery.With(new { UserId = userId }, cancellationToken));

    private static AssociatedData PlaceOf(Guid userId) => Sealed.At(Guid.Empty, $"{userId}");

    private static byte[] Sha256Of(string code) => SHA256.HashData(Encoding.UTF8.GetBytes(code.ToLowerInvariant()));

    private static class Sql
    {
        public const string TakeStep = """
            UPDATE users
            SET totp_step = @Step
            WHERE id = @UserId AND totp_secret IS NOT NULL AND totp_step < @Step
            """;

        public const string TakeRecovery = """
            UPDATE recovery_codes
            SET used_at = @Now
            WHERE user_id = @UserId AND code_sha256 = @CodeSha256 AND used_at IS NULL
            """;

        public const string ForgetRecovery = "DELETE FROM recovery_codes WHERE user_id = @UserId";

        public const string AddRecovery =
            "INSERT INTO recovery_codes (user_id, code_sha256) SELECT @UserId, unnest(@CodeSha256s::bytea[])";

        public const string TakeSealed = """
            SELECT '00000000-0000-0000-0000-000000000000'::uuid AS project_id, id::text AS id, ARRAY[totp_secret] AS sealed
            FROM users
            WHERE totp_secret IS NOT NULL
                AND ('00000000-0000-0000-0000-000000000000'::uuid, id) > (@AfterProject, @AfterId::uuid)
                AND split_part(totp_secret, '.', 2) <> @Kid
            ORDER BY id
            LIMIT @Take
            """;

        public const string PutSealed = """
            UPDATE users
            SET totp_secret = (@After::text[])[1]
            WHERE @ProjectId::uuid IS NOT NULL AND id = @Id::uuid AND totp_secret = (@Before::text[])[1]
            """;
    }
}
