using Dapper;

namespace Bellhop.Infrastructure.Database;

public static class Statement
{
    /// <summary>Readies a statement for Dapper. The token is not optional: Dapper's own overloads let it be forgotten.</summary>
    public static CommandDefinition With(this string sql, object? arguments, CancellationToken cancellationToken) =>
        new(sql, arguments, cancellationToken: cancellationToken);
}
